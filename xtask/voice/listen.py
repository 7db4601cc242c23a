"""Listens to prompts with Whisper base (MIT), offline, on one thread, and says how much of each it understood.

Called by `cargo xtask listen`. Standard input: a prompt a line, fields parted by tabs: name, language (zh, en), the sound
(8 kHz, one channel, raw 16 bits little-endian, already through G.711), the words. Standard output: name, errors and length in
characters (letters in English), errors and length in sounds (syllables of pinyin with tones; words in English), what was
heard. The argument: the model's folder.
"""
import re
import sys

import cn2an
import numpy as np
from faster_whisper import WhisperModel
from pypinyin import Style, lazy_pinyin

# Whisper was taught windows of 16 kHz sound with silence about them.
RATE = 16_000
PAD = np.zeros(RATE // 2, np.float32)
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


def sounds(language, text):
    return lazy_pinyin(text, style=Style.TONE3) if language == "zh" else text.split()


def distance(a, b):
    """Insertions, deletions and replacements that make `b` of `a`."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]


def main():
    ear = WhisperModel(sys.argv[1], device="cpu", compute_type="int8", cpu_threads=1, num_workers=1)
    for line in sys.stdin:
        name, language, path, words = line.rstrip("\n").split("\t")
        sound = np.fromfile(path, dtype="<i2").astype(np.float32) / 32_768
        doubled = np.interp(np.arange(2 * len(sound)) / 2, np.arange(len(sound)), sound).astype(np.float32)
        options = {"beam_size": 5, "condition_on_previous_text": False, "initial_prompt": EXPECT[language]}
        parts, _ = ear.transcribe(np.concatenate([PAD, doubled, PAD]), language=language, **options)
        heard = plain(language, "".join(part.text for part in parts))
        meant = plain(language, words)
        rows = [
            (distance(meant.replace(" ", ""), heard.replace(" ", "")), len(meant.replace(" ", ""))),
            (distance(sounds(language, meant), sounds(language, heard)), len(sounds(language, meant))),
        ]
        print(name, *rows[0], *rows[1], heard, sep="\t", flush=True)


if __name__ == "__main__":
    main()
