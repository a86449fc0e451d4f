"""Compare the speed of this plugin with its peers (``tools/benchmark.py``).

========================  ==============================================================
``main``                  command line, tables and the .json file
``steps``                 training steps: speed, memory, kernels, stages
``data_routes``           from the images in memory to the model's input
``whole_loop``            epochs of the Runner against as many bare steps
``quality``               time until the quality of mmpretrain's MAE
``processes``             one process against two
``peers``                 the models that are compared, at equal architecture
``contestant``            what runs in a process of its own: a step, a matrix product
``remote``                that process
``timing``                rounds in turns, medians, ratios
``counters``              FLOPs, memory, shares of the kernels
``progress``              what runs now, on stderr
========================  ==============================================================
"""
