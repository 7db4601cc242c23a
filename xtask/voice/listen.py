"""Listens to prompts with Whisper base (MIT), offline, on one thread, and says how much of each it understood.

Called by `cargo xtask listen`. Standard input: a prompt a line, fields parted by tabs: name, language (zh, en), the sound
(8 kHz, one channel, raw 16 bits little-endian, already through G.711), the words. Standard output: name, errors and length in
characters (letters in English), errors and length in sounds (syllables of pinyin with tones; words in English), what was
heard. The argument: the model's folder.

Whisper was taught half minutes of speech and guesses at a lone second of it, so prompts are heard a half minute at a time, in an
order in which none helps to guess the next; each word that was heard wrong is then laid at the door of its prompt.
"""
import re
import sys
import tomllib
import zlib

import cn2an
import numpy as np
from faster_whisper import WhisperModel
from pypinyin import Style, lazy_pinyin, load_phrases_dict
from pypinyin.contrib.tone_convert import to_tone

# Whisper was taught windows of 16 kHz sound with silence about them.
RATE = 16_000
PAD = np.zeros(RATE // 2, np.float32)
# What is heard at a time, in samples.
WINDOW = 27 * RATE
# What it is told to expect: simplified characters, the words of a hotline. The prompts' own numbers are not in it.
EXPECT = {
    "zh": "以下是客户服务热线的普通话语音提示，使用简体中文。",
    "en": "These are the voice prompts of a customer service hotline.",
}
ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
ONES = (ONES + " eighteen nineteen").split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
# Traditional characters that it writes for simplified ones all the same.
SIMPLER = str.maketrans(
    "貸問題請賬戶號碼訂單請複輸入鍵轉專機務業時間預計約個鐘頭處還後麼這們對話會與為從現裡開關數應無長電撥兩萬億幾檢錄繼續離難您來過沒給聽說讓您說謝歡迎註冊證驗詢進貨買賣賓協費種條線結確認誤",
    "贷问题请账户号码订单请复输入键转专机务业时间预计约个钟头处还后么这们对话会与为从现里开关数应无长电拨两万亿几检录继续离难您来过没给听说让您说谢欢迎注册证验询进货买卖宾协费种条线结确认误",
)


def spelt(match):
    """A number of up to two digits in words; longer ones digit by digit."""
    digits = match.group()
    number = int(digits)
    if len(digits) > 2:
        return " ".join(ONES[int(d)] for d in digits)
    if number < 20:
        return ONES[number]
    return TENS[number // 10 - 2] + (" " + ONES[number % 10] if number % 10 else "")


def plain(language, text):
    """The words alone, numbers written out: what two ears would agree on."""
    if language == "zh" and re.search("[\u4e00-\u9fff]", text):
        text = cn2an.transform(text.translate(SIMPLER), "an2cn").replace("幺", "一")
        return re.sub(r"[^\u4e00-\u9fffa-z]", "", text.lower())
    text = re.sub(r"\d+", spelt, text.lower().replace("-", " "))
    return " ".join(re.sub(r"[^a-z ]", "", text).split())


def learn_readings(path):
    """The readings that the prompts were spoken with: 还款 is huan2kuan3, and whoever hears 环款 has heard it right."""
    with open(path, "rb") as file:
        words = tomllib.load(file)["zh"]
    syllables = {word: re.findall("[a-z]+[1-5]", spelt) for word, spelt in words.items()}
    load_phrases_dict({word: [[to_tone(s)] for s in spelt] for word, spelt in syllables.items()})


def units(language, words):
    """What is counted, each with the prompt whose it is: characters, and sounds."""
    characters, sounds = [], []
    for owner, text in enumerate(words):
        characters += [(c, owner) for c in text.replace(" ", "")]
        parts = lazy_pinyin(text, style=Style.TONE3) if language == "zh" else text.split()
        sounds += [(part, owner) for part in parts]
    return characters, sounds


def faults(meant, heard, count):
    """By prompt, the insertions, deletions and replacements that make what was heard of what was meant; and which of the units
    that were heard are whose."""
    rows = [list(range(len(heard) + 1))]
    for i, (x, _) in enumerate(meant, 1):
        row = [i]
        for j, y in enumerate(heard, 1):
            row.append(min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (x != y)))
        rows.append(row)
    wrong, whose = [0] * count, [[] for _ in range(count)]
    i, j = len(meant), len(heard)
    while i or j:
        owner = meant[max(i - 1, 0)][1]
        step = i and j and rows[i][j] == rows[i - 1][j - 1] + (meant[i - 1][0] != heard[j - 1])
        if step:
            wrong[owner] += meant[i - 1][0] != heard[j - 1]
            i, j = i - 1, j - 1
            whose[owner].append(heard[j])
        elif i and rows[i][j] == rows[i - 1][j] + 1:
            wrong[owner] += 1
            i -= 1
        else:
            wrong[owner] += 1
            j -= 1
            whose[owner].append(heard[j])
    return wrong, ["".join(reversed(w)) for w in whose]


def windows(prompts):
    """Half minutes of prompts of one language, as lists of (name, sound, words)."""
    for language in ("zh", "en"):
        window, length = [], 0
        for name, spoken, path, words in sorted(prompts, key=lambda p: zlib.crc32(p[0].encode())):
            if spoken != language:
                continue
            sound = np.fromfile(path, dtype="<i2").astype(np.float32) / 32_768
            doubled = np.interp(np.arange(2 * len(sound)) / 2, np.arange(len(sound)), sound).astype(np.float32)
            if window and length + len(doubled) > WINDOW:
                yield language, window
                window, length = [], 0
            window.append((name, doubled, plain(language, words)))
            length += len(doubled) + len(PAD)
        if window:
            yield language, window


def main():
    learn_readings("audio/pronounce.toml")
    ear = WhisperModel(sys.argv[1], device="cpu", compute_type="int8", cpu_threads=1, num_workers=1)
    prompts = [line.rstrip("\n").split("\t") for line in sys.stdin if line.strip()]
    for language, window in windows(prompts):
        sound = np.concatenate([PAD] + [part for _, prompt, _ in window for part in (prompt, PAD)])
        options = {"beam_size": 5, "condition_on_previous_text": False, "initial_prompt": EXPECT[language]}
        parts, _ = ear.transcribe(sound, language=language, **options)
        heard = plain(language, " ".join(part.text for part in parts))
        meant = units(language, [words for _, _, words in window])
        told = [[unit for unit, _ in kind] for kind in units(language, [heard])]
        characters, whose = faults(meant[0], told[0], len(window))
        sounds, spoken = faults(meant[1], told[1], len(window))
        for n, (name, _, _) in enumerate(window):
            lengths = [sum(owner == n for _, owner in kind) for kind in meant]
            print(name, characters[n], lengths[0], sounds[n], lengths[1], whose[n], sep="\t", flush=True)


if __name__ == "__main__":
    main()
