"""Speaks sentences with the Kokoro-82M model (Apache-2.0), offline, on one thread.

Called by `cargo xtask voice`. Standard input: a sentence a line, fields parted by tabs: the WAV file to write, language
(zh, en), voice, speed, text. Mandarin may hold syllables as pinyin with tones (huan2kuan3) among its characters. What is
there already is not made again, so that a run that was stopped goes on where it was.

Arguments: the model (ONNX), the folder of voices (NAME.bin: float32, rows of 256 by number of tokens), the vocabulary.
"""
import json
import os
import re
import subprocess
import sys
import wave

import numpy as np
import onnxruntime as ort
from misaki.zh import ZHG2P

RATE = 24_000
# The model knows sentences; the style of a very short one is worn thin. A word by itself is spoken in that of a phrase.
SHORTEST_STYLE = 12
MARKS = re.compile(r"([,.;:!?])")
PINYIN = re.compile(r"((?:[a-z]+[1-5])+)")
SYLLABLE = re.compile(r"[a-z]+[1-5]")

# espeak-ng's phonemes as Kokoro was taught them (American English), the longest first.
ENGLISH = [
    ("ʔˌn̩", "tn"), ("a^ɪ", "I"), ("a^ʊ", "W"), ("d^ʒ", "ʤ"), ("e^ɪ", "A"), ("t^ʃ", "ʧ"), ("ɔ^ɪ", "Y"), ("o^ʊ", "O"),
    ("ə^l", "ᵊl"), ("ɜːɹ", "ɜɹ"), ("ʔn", "tn"), ("ɪə", "iə"), ("ɜː", "ɜɹ"), ("aɪ", "I"), ("aʊ", "W"), ("dʒ", "ʤ"),
    ("eɪ", "A"), ("tʃ", "ʧ"), ("ɔɪ", "Y"), ("oʊ", "O"), ("ɚ", "əɹ"), ("ɐ", "ə"), ("ʔ", "t"), ("r", "ɹ"), ("x", "k"),
    ("ç", "k"), ("ɬ", "l"), ("ʲ", ""), ("̃", ""), ("̩", ""), ("ː", ""), ("^", ""),
]


def english(text):
    """Phonemes of English: by espeak-ng, clause by clause, since it forgets the marks between them."""
    out = ""
    for part in MARKS.split(text):
        if not part.strip():
            continue
        if MARKS.fullmatch(part):
            out += part
            continue
        command = ["espeak-ng", "-q", "--ipa", "--tie=^", "-v", "en-us", "--stdin"]
        told = subprocess.run(command, input=part.encode(), capture_output=True, check=True).stdout.decode()
        sounds = " ".join(told.split())
        for theirs, ours in ENGLISH:
            sounds = sounds.replace(theirs, ours)
        out += (" " if out else "") + sounds
    return out


def mandarin(text, g2p=ZHG2P()):
    """Phonemes of Mandarin: by misaki; a syllable that is spelt in pinyin as it is spelt."""
    out = ""
    for part in PINYIN.split(text):
        if PINYIN.fullmatch(part):
            out += " " + "".join(ZHG2P.py2ipa(syllable) for syllable in SYLLABLE.findall(part)) + " "
        elif part.strip():
            out += g2p(part)[0]
    return re.sub(r" +([,.;:!?])", r"\1", " ".join(out.replace(",", ", ").split()))


PHONEMES = {"zh": mandarin, "en": english}


class Speaker:
    def __init__(self, model, voices, vocabulary):
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.voices = voices
        with open(vocabulary, encoding="utf-8") as file:
            self.vocabulary = json.load(file)["vocab"]

    def speak(self, language, voice, speed, text):
        sounds = PHONEMES[language](text)
        if sounds[-1:] not in ".?!,":
            sounds += "."
        unknown = {c for c in sounds if c not in self.vocabulary}
        if unknown:
            sys.exit(f"the voice has no sound for {unknown} in {sounds!r} of {text!r}")
        tokens = [self.vocabulary[c] for c in sounds]
        styles = np.fromfile(os.path.join(self.voices, voice + ".bin"), dtype=np.float32).reshape(-1, 256)
        style = styles[min(max(len(tokens), SHORTEST_STYLE), len(styles) - 1)]
        inputs = {
            "tokens": np.array([[0, *tokens, 0]], dtype=np.int64),
            "style": style.reshape(1, 256),
            "speed": np.array([float(speed)], dtype=np.float32),
        }
        return sounds, np.asarray(self.session.run(None, inputs)[0], np.float32).ravel()


def write(path, sound):
    """Whole or not at all: a file that is there is complete."""
    with wave.open(path + ".part", "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(sound, -1, 1) * 32_767).astype("<i2").tobytes())
    os.replace(path + ".part", path)


def main():
    wanted = [line.rstrip("\n").split("\t") for line in sys.stdin if line.strip()]
    wanted = [row for row in wanted if not os.path.exists(row[0])]
    speaker = Speaker(*sys.argv[1:]) if wanted else None
    for number, (path, language, voice, speed, text) in enumerate(wanted, 1):
        sounds, sound = speaker.speak(language, voice, speed, text)
        write(path, sound)
        print(f"{number}/{len(wanted)} {len(sound) / RATE:.1f} s {text} [{sounds}]", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
