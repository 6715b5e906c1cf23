"""Building a model: what a request asks for, decided over plain data, then done.

request.py        the body of `/api/create`, parsed; pins.py, versions.py, info.py read parts of it
files.py          which files make which part of a model: weights, projector, adapter, draft
merging.py        a model in several GGUF files becomes one file
layers.py         the layers and the config of the new model (pure)
derived.py        blobs that are made here: converted, quantized, merged
parts.py          files to parts, through derived blobs where they need work
bases.py          the model that `from` names, pulled first when it is absent
builder.py        all of it in order, told step by step; steps.py carries the steps
ports.py          what the builder needs of its neighbours
"""
