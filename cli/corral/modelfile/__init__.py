"""Modelfiles: `grammar` reads text to commands, `recipe` makes typed recipes of them, `printing` writes them again.

Files, uploads and the server are not known here.
"""

from corral.modelfile.grammar import ModelfileInvalid, decode
from corral.modelfile.printing import print_modelfile
from corral.modelfile.recipe import Modelfile, parse

__all__ = ["Modelfile", "ModelfileInvalid", "decode", "parse", "print_modelfile"]
