"""The version of the laboratory's generator. It is part of the identity of everything made from generated data.

Raise VERSION when the same seed produces other languages, items or texts. The test of the golden samples
(`tests/laboratory/test_version.py`) fails when the output changes but the version does not. Comments, names and module
paths do not change the output, so pretrained encoders and finished runs stay valid when those are edited.
"""

GENERATOR = "laboratory"  # takes the place of file names in the records of runs on generated data
VERSION = "1"
