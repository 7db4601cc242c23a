"""Speaks sentences with the Kokoro-82M model (Apache-2.0), offline, on one thread.

Called by `cargo xtask voice`. Standard input: what is said in one breath, a line each, fields parted by tabs: language (zh, en),
voice, speed, and then, as often as there are parts, the WAV file to write and its text; a part whose file is "-" is said for the
sake of the others and not kept. The model is at its best with a breath of five to fifteen seconds, and says a lone word badly:
short ones are therefore said together and cut apart at the model's own times. Mandarin may hold syllables as pinyin with tones
(huan2kuan3) among its characters. A breath all of whose files are there is not said again, so that a run that was stopped goes
on where it was.

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
# A frame of the model's own times, in samples: 25 ms. And which of its inner results they are: so many for each token.
FRAME = 600
TIMES = "/encoder/Clip_output_0"
# Two parts are cut apart where it is quietest, from this much before the model's time to this much after it, in seconds.
BEFORE, AFTER = 0.08, 0.03
QUIET = 0.005
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
    # The mark of a vowel that glides, which the model was not taught.
    out = out.replace("\u032f", "").replace(",", ", ")
    return re.sub(r" +([,.;:!?])", r"\1", " ".join(out.split()))


PHONEMES = {"zh": mandarin, "en": english}


def field(number, content):
    """A field of a protocol buffer."""
    length, size = bytearray(), len(content)
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    return bytes([number << 3 | 2, *length, size]) + content


def with_times(model):
    """The model with its times as a second output. Protocol buffers that follow one another are one: here, a graph (7) with
    one more output (12) of that name (1)."""
    with open(model, "rb") as file:
        return file.read() + field(7, field(12, field(1, TIMES.encode())))


class Speaker:
    def __init__(self, model, voices, vocabulary):
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = ort.InferenceSession(with_times(model), options, providers=["CPUExecutionProvider"])
        self.voices = voices
        with open(vocabulary, encoding="utf-8") as file:
            self.vocabulary = json.load(file)["vocab"]

    def speak(self, language, voice, speed, texts):
        """Says the texts in one breath; their phonemes, and the sound of each."""
        sounds = [PHONEMES[language](text) for text in texts]
        sounds = [s if s[-1:] in ".?!,:;" else s + "." for s in sounds]
        joined = " ".join(sounds)
        unknown = {c for c in joined if c not in self.vocabulary}
        if unknown:
            sys.exit(f"the voice has no sound for {unknown} in {joined!r} of {texts!r}")
        tokens = [self.vocabulary[c] for c in joined]
        styles = np.fromfile(os.path.join(self.voices, voice + ".bin"), dtype=np.float32).reshape(-1, 256)
        if len(tokens) >= len(styles):
            sys.exit(f"that is too much for one breath: {len(tokens)} tokens of {texts!r}")
        inputs = {
            "tokens": np.array([[0, *tokens, 0]], dtype=np.int64),
            "style": styles[max(len(tokens), SHORTEST_STYLE)].reshape(1, 256),
            "speed": np.array([float(speed)], dtype=np.float32),
        }
        sound, times = (np.asarray(out, np.float32).ravel() for out in self.session.run(None, inputs))
        ends = np.cumsum(times).astype(int) * FRAME
        cuts, token = [], 0
        for part in sounds[:-1]:
            # The space behind a part is a token too; and the first of all is the silence before everything.
            token += len(part) + 1
            cuts.append(quietest(sound, ends[token]))
        return sounds, np.split(sound, cuts)


def quietest(sound, at):
    """Where it is quietest near a sample."""
    first = max(at - int(BEFORE * RATE), 0)
    near = sound[first : at + int(AFTER * RATE)].astype(np.float64) ** 2
    window = int(QUIET * RATE)
    if len(near) <= window:
        return at
    power = np.convolve(near, np.ones(window), "valid")
    return first + int(np.argmin(power)) + window // 2


def write(path, sound):
    """Whole or not at all: a file that is there is complete."""
    with wave.open(path + ".part", "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(sound, -1, 1) * 32_767).astype("<i2").tobytes())
    os.replace(path + ".part", path)


def main():
    breaths = [line.rstrip("\n").split("\t") for line in sys.stdin if line.strip()]
    speaker = None
    for number, (language, voice, speed, *parts) in enumerate(breaths, 1):
        paths, texts = parts[::2], parts[1::2]
        if all(path == "-" or os.path.exists(path) for path in paths):
            continue
        speaker = speaker or Speaker(*sys.argv[1:])
        sounds, spoken = speaker.speak(language, voice, speed, texts)
        for path, sound in zip(paths, spoken):
            if path != "-":
                write(path, sound)
        seconds = sum(map(len, spoken)) / RATE
        print(f"{number}/{len(breaths)} {seconds:.1f} s {' '.join(texts)} {sounds}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
