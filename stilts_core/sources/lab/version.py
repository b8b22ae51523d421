"""The version of the laboratory's generator, which names everything that is made from its output.

Raise VERSION when the same seed gives other languages, items or texts. The test of golden samples
(`tests/sources/lab/test_lab_version.py`) fails when the output changes and the version does not. A comment, a new name
or a moved module changes neither, so pretrained encoders and finished runs stay valid.
"""

GENERATOR = "laboratory"  # stands in a record where publishers' data have file names
VERSION = "1"
