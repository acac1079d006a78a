#!/usr/bin/env python3
"""Makes the data files of the training programs from packages that anybody can get.

Usage: prepare.py digits FILE       handwritten digits, from the wheel of scikit-learn (pip)
       prepare.py text FILE         English text, from Debian's fortunes (apt-get download)
       prepare.py languages FILE    labelled lines in 16 languages, from Debian's translated manual pages

Packages are downloaded into a folder of their own, unpacked and not installed. What is shuffled is shuffled with a fixed
seed: the same packages give the same file. Exit: 0 good, 1 a package cannot be had, 2 bad use.
"""
import gzip
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import zipfile

SEED = 2026
# 16 languages in three scripts of the same letters, so that no alphabet gives them away. Each from "manpages-CODE".
LANGUAGES = ["cs", "da", "de", "en", "es", "fi", "fr", "hu", "id", "it", "nb", "nl", "pl", "pt-br", "ro", "sv"]
LINES_OF_A_LANGUAGE = 2500
LETTERS = (32, 80)  # of a line, in characters
SPLIT = re.compile(r"(?<=[.!?:;,]) ")


def run(*words, cwd):
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True)
    if done.returncode != 0:
        print(f"prepare.py: '{' '.join(words)}' failed: {done.stderr.strip()}", file=sys.stderr)
        sys.exit(1)


def unpacked(package, folder):
    """The files of a Debian package."""
    here = folder / package
    here.mkdir()
    run("apt-get", "download", "-q", package, cwd=here)
    run("dpkg-deb", "-x", next(here.glob("*.deb")).name, "files", cwd=here)
    return here / "files"


def digits(folder):
    run(sys.executable, "-m", "pip", "download", "-q", "--no-deps", "scikit-learn", cwd=folder)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        rows = gzip.decompress(wheel.read("sklearn/datasets/data/digits.csv.gz")).decode().split()
    names = [f"p{row}{column}" for row in range(8) for column in range(8)] + ["digit"]
    return [",".join(names)] + [",".join(str(int(float(value))) for value in row.split(",")) for row in rows]


def text(folder):
    sayings = []
    for path in sorted(unpacked("fortunes", folder).glob("usr/share/games/fortunes/*")):
        if path.is_file() and path.suffix not in (".dat", ".u8"):
            sayings += re.split(r"\n%\n", path.read_text(encoding="utf-8", errors="replace"))
    sayings = [re.sub(r"[ \t]+", " ", saying).strip() for saying in dict.fromkeys(sayings)]
    random.Random(SEED).shuffle(sayings)
    return [saying for saying in sayings if saying.isascii() and saying]


def prose(page):
    """The paragraphs of a manual page without its commands and escapes."""
    paragraph = []
    for line in page.splitlines() + ["."]:
        if line.startswith((".", "'")) or not line.strip():
            if paragraph:
                yield " ".join(paragraph)
            paragraph = []
        else:
            line = re.sub(r"\\f(\[\w*\]|\(..|.)|\\[&|^/,:]|\\s[-+]?\d", "", line)
            line = re.sub(r"\\\(aq|\\\[aq\]", "'", line).replace("\\-", "-").replace("\\ ", " ")
            paragraph.append(re.sub(r"\\(\(..|\[\w+\]|.)", " ", line))


def lines_of(page):
    """Pieces of its sentences, of the length that is wanted."""
    for paragraph in prose(page):
        for piece in SPLIT.split(re.sub(r"\s+", " ", paragraph)):
            piece = piece.strip()[:LETTERS[1]]
            letters = sum(character.isalpha() or character == " " for character in piece)
            if len(piece) >= LETTERS[0] and letters > 0.9 * len(piece):
                yield piece


def languages(folder):
    pages = []  # (language, lines), so that lines of one page stay together: the held-out part has pages of its own
    owners = {}  # line -> languages: what several have was never translated
    for language in LANGUAGES:
        files = unpacked("manpages" if language == "en" else f"manpages-{language}", folder)
        found = []
        for path in sorted(files.glob("usr/share/man/**/man*/*.gz")):
            page = gzip.decompress(path.read_bytes()).decode("utf-8", errors="ignore")
            found.append(list(dict.fromkeys(lines_of(page))))
            for line in found[-1]:
                owners.setdefault(line, set()).add(language)
        random.Random(SEED).shuffle(found)
        pages += [(language, lines) for lines in found]
    written, taken, labelled = set(), dict.fromkeys(LANGUAGES, 0), []
    for language, lines in pages:
        kept = []
        for line in lines:
            if len(owners[line]) == 1 and line not in written and taken[language] < LINES_OF_A_LANGUAGE:
                written.add(line)
                taken[language] += 1
                kept.append(f"{language}\t{line}")
        labelled.append(kept)
    random.Random(SEED).shuffle(labelled)
    labelled = [line for page in labelled for line in page]
    print("lines:", ", ".join(f"{language} {count}" for language, count in taken.items()))
    return labelled


def main():
    makers = {"digits": (digits, "\n"), "text": (text, "\n\n"), "languages": (languages, "\n")}
    if len(sys.argv) != 3 or sys.argv[1] not in makers:
        print(__doc__.split("\n\n")[1], file=sys.stderr)
        sys.exit(2)
    make, between = makers[sys.argv[1]]
    with tempfile.TemporaryDirectory() as folder:
        pieces = make(pathlib.Path(folder))
    path = pathlib.Path(sys.argv[2])
    path.write_text(between.join(pieces) + "\n", encoding="utf-8")
    print(f"{path}: {len(pieces)} pieces, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
