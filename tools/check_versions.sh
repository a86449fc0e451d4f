#!/usr/bin/env bash
# Run the suite with other Pythons and other versions of the dependencies.
#
#   bash tools/check_versions.sh                       # all, about 15 minutes each
#   bash tools/check_versions.sh 3.12-newest 3.11-upstream
#
# pinned: the versions in tools/constraints.txt. newest: the newest releases. upstream: the
# original mmengine 0.10.7, mmcv-lite 2.2.0 and mmpretrain 1.2.0 instead of the maintained
# continuation; mmsegmentation is left out, since it needs compiled operators.
# PYTHON_3_12=/path/python3.12 names an interpreter that is not on the PATH. The logs and the
# table are in work_dirs/versions/.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
folder=work_dirs/versions
mkdir -p "$folder"
upstream=(mmengine==0.10.7 mmcv-lite==2.2.0 mmpretrain==1.2.0)

names=("$@")
if [ ${#names[@]} -eq 0 ]; then
    for python in 3.10 3.11 3.12 3.13; do names+=("$python-pinned" "$python-newest"); done
    names+=(3.11-upstream)
fi

suite() { # NAME: install and test; the output goes to the log
    local python=${1%-*} versions=${1#*-}
    local given="PYTHON_${python/./_}"
    export PYTHON=${!given:-python$python} VENV=$root/$folder/$1
    case $versions in
    pinned) bash tools/run_tests.sh ;;
    newest) CONSTRAINTS=/dev/null bash tools/run_tests.sh ;;
    upstream)
        EXTRAS=demo,test bash tools/install.sh
        # Without their dependency on opencv-python, which needs libGL.
        "$VENV/bin/python" -m pip install -q opencv-python-headless addict yapf termcolor \
            einops mat4py modelindex importlib-metadata 'setuptools<81'  # pkg_resources
        "$VENV/bin/python" -m pip install -q --no-deps "${upstream[@]}"
        # A complete environment is used as it is.
        rm "$VENV/.made_by_bootmae_plugin"
        EXTRAS=demo,test bash tools/run_tests.sh
        ;;
    *)
        echo "unknown $1: expected PYTHON-pinned, -newest or -upstream"
        return 2
        ;;
    esac
}

failed=0
printf '| versions | result |\n|---|---|\n' >"$folder/table.md"
for name in "${names[@]}"; do
    echo "versions: $name, log in $folder/$name.log"
    status=0
    (suite "$name") >"$folder/$name.log" 2>&1 || status=$?
    [ $status -eq 0 ] || failed=1
    result=$(grep -E '^[^=]*(passed|failed|error)' "$folder/$name.log" | tail -n 1 || true)
    [ $status -eq 0 ] || result="FAILED: ${result:-$(tail -n 1 "$folder/$name.log")}"
    printf '| %s | %s |\n' "$name" "$result" >>"$folder/table.md"
done
cat "$folder/table.md"
exit $failed
