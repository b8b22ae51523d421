"""Rules of character normalisation, packed as sentencepiece packs them for `tokenizers.normalizers.Precompiled`."""

import struct
import unicodedata
from itertools import count

import numpy as np

# A prefix tree over bytes: byte -> subtree. Byte 0 marks the end of a rule and holds the offset of its replacement.
Node = dict[int, "Node | int"]


def compose_pairs(rules: dict[str, str]) -> dict[str, str]:
    """The rules of XLM-R's normaliser for a letter with a mark: letter + mark -> accented letter.

    `rules` are its rules for single characters. Rules for pairs are enough, because `tokenizers` applies the shortest
    rule that matches. It matches at most 5 bytes, so pairs of 3-byte characters (the scripts of India) stay unchanged,
    in XLM-R too.
    """
    characters = (chr(code) for code in range(0xC0, 0x10000) if not 0xD800 <= code < 0xE000)
    pairs = {unicodedata.normalize("NFD", character): rules.get(character, character) for character in characters}
    return {pair: target for pair, target in pairs.items() if len(pair) == 2 and len(pair.encode()) < 6}


def build_charsmap(rules: dict[str, str]) -> bytes:
    """Pack rules of normalisation (text -> replacement).

    The result is a size in bytes, a double array over the UTF-8 bytes of the texts, and the replacements, each ended by
    a zero byte.
    """
    root, replacements = _build_tree(rules)
    array = _build_double_array(root)
    return struct.pack("<I", array.nbytes) + array.tobytes() + replacements


def _build_tree(rules: dict[str, str]) -> tuple[Node, bytes]:
    """The prefix tree of the texts, and their replacements."""
    root: Node = {}
    replacements = bytearray()
    for source, target in rules.items():
        node = root
        for byte in source.encode():
            child = node.setdefault(byte, {})
            assert isinstance(child, dict)  # byte 0, which holds a number, occurs in no text
            node = child
        node[0] = len(replacements)
        replacements += target.encode() + b"\0"
    return root, bytes(replacements)


def _build_double_array(root: Node) -> np.ndarray:
    """Lay a prefix tree out as a double array of uint32 (https://github.com/s-yata/darts-clone).

    The children of a node share a base. The child for byte c is at index base ^ c. If a rule ends at the node, the
    offset of its replacement is at base ^ 0. An entry holds its own byte in bits 0-7, whether a rule ends there in bit
    8, and its index ^ base in bits 10-30.
    """
    entries = {0: 0}
    open_nodes = [(0, root)]
    base = 0
    while open_nodes:
        index, node = open_nodes.pop()
        # No two nodes may share a base. Rising bases guarantee this, at the price of some unused entries.
        base = next(base for base in count(base + 1) if all(base ^ byte not in entries for byte in node))
        entries[index] |= (index ^ base) << 10 | (0 in node) << 8
        for byte, child in node.items():
            if isinstance(child, int):
                entries[base] = child | 1 << 31
            else:
                entries[base ^ byte] = byte
                open_nodes.append((base ^ byte, child))
    array = np.zeros((base | 255) + 1, "<u4")  # base ^ byte is inside for every byte
    array[list(entries)] = list(entries.values())
    return array
