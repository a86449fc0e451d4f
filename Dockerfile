# An image with the tools, for CPUs or CUDA GPUs.
#
#   docker build -t bootmae .
#   docker build -t bootmae --build-arg DEVICE=cuda .
#   docker run --rm -v "$PWD:/data" bootmae bootmae pretrain photos --out runs/a
#
# CUDA needs the NVIDIA container toolkit and `docker run --gpus all --shm-size 8g`.
FROM python:3.12-slim
ARG DEVICE=cpu
COPY . /opt/bootmae_plugin
# torch's index for CPUs has wheels without CUDA; the package index has those with it.
RUN if [ "$DEVICE" = cpu ]; then \
        export PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu; \
    fi \
    && export PIP_NO_CACHE_DIR=1 VENV=/opt/venv EXTRAS=mm,seg,demo \
    && bash /opt/bootmae_plugin/tools/install.sh
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /data
CMD ["python", "-c", "import bootmae_plugin; print(bootmae_plugin.__version__)"]
