//! What each phrase sounds like, in both languages.
use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn sounds(phrase: &Phrase) -> [String; 2] {
    Language::ALL.map(|language| transcript(language, std::slice::from_ref(phrase)))
}

fn wait(low_s: u64, high_s: u64) -> Phrase {
    Phrase::Wait { low: Duration::from_secs(low_s), high: Duration::from_secs(high_s) }
}

#[test]
fn numbers_sound_right() {
    let rows = [
        (0, "零", "zero"),
        (2, "二", "two"),
        (10, "十", "ten"),
        (11, "十一", "eleven"),
        (12, "十二", "twelve"),
        (20, "二十", "twenty"),
        (22, "二十二", "twenty-two"),
        (99, "九十九", "ninety-nine"),
        (100, "一百", "one hundred"),
        (101, "一百零一", "one hundred and one"),
        (110, "一百一十", "one hundred and ten"),
        (112, "一百一十二", "one hundred and twelve"),
        (120, "一百二十", "one hundred and twenty"),
        (200, "二百", "two hundred"),
        (205, "二百零五", "two hundred and five"),
        (222, "二百二十二", "two hundred and twenty-two"),
        (999, "九百九十九", "nine hundred and ninety-nine"),
        (1_000, "一千", "one thousand"),
        (1_002, "一千零二", "one thousand and two"),
        (1_012, "一千零一十二", "one thousand and twelve"),
        (1_020, "一千零二十", "one thousand and twenty"),
        (1_200, "一千二百", "one thousand two hundred"),
        (1_205, "一千二百零五", "one thousand two hundred and five"),
        (2_000, "两千", "two thousand"),
        (2_222, "两千二百二十二", "two thousand two hundred and twenty-two"),
        (10_000, "一万", "ten thousand"),
        (10_010, "一万零一十", "ten thousand and ten"),
        (12_000, "一万二千", "twelve thousand"),
        (20_000, "两万", "twenty thousand"),
        (20_300, "两万零三百", "twenty thousand three hundred"),
        (100_000, "十万", "one hundred thousand"),
        (120_003, "十二万零三", "one hundred and twenty thousand and three"),
        (1_000_000, "一百万", "one million"),
        (100_000_000, "一亿", "one hundred million"),
        (100_005_000, "一亿零五千", "one hundred million five thousand"),
        (200_010_001, "两亿零一万零一", "two hundred million ten thousand and one"),
        (
            4_294_967_295,
            "四十二亿九千四百九十六万七千二百九十五",
            "four billion two hundred and ninety-four million nine hundred and sixty-seven thousand two hundred \
             and ninety-five",
        ),
    ];
    for (n, mandarin, english) in rows {
        assert_eq!(sounds(&Phrase::Number(n)), [mandarin, english], "{n}");
    }
}

#[test]
fn waits_sound_right() {
    let rows = [
        ((0, 0), "不到半分钟", "less than half a minute"),
        ((0, 30), "不到半分钟", "less than half a minute"),
        ((0, 31), "不到一分钟", "less than one minute"),
        ((20, 55), "不到一分钟", "less than one minute"),
        ((0, 90), "不到一分半钟", "less than one and a half minutes"),
        ((0, 120), "不到两分钟", "less than two minutes"),
        ((0, 1_800), "不到半小时", "less than half an hour"),
        ((0, 3_600), "不到一个小时", "less than one hour"),
        ((30, 30), "大约半分钟", "about half a minute"),
        ((60, 60), "大约一分钟", "about one minute"),
        ((120, 120), "大约两分钟", "about two minutes"),
        ((150, 150), "大约两分半钟", "about two and a half minutes"),
        ((720, 720), "大约十二分钟", "about twelve minutes"),
        ((1_800, 1_800), "大约半小时", "about half an hour"),
        ((5_400, 5_400), "大约一个半小时", "about one and a half hours"),
        ((7_200, 7_200), "大约两个小时", "about two hours"),
        ((60, 120), "大约一到两分钟", "between one and two minutes"),
        ((120, 180), "大约两到三分钟", "between two and three minutes"),
        ((180, 300), "大约三到五分钟", "between three and five minutes"),
        ((185, 299), "大约三到五分钟", "between three and five minutes"),
        ((600, 720), "大约十到十二分钟", "between ten and twelve minutes"),
        ((1_200, 1_800), "大约二十到三十分钟", "between twenty and thirty minutes"),
        ((30, 120), "大约半分钟到两分钟", "between half a minute and two minutes"),
        ((60, 90), "大约一分钟到一分半钟", "between one minute and one and a half minutes"),
        ((90, 180), "大约一分半钟到三分钟", "between one and a half minutes and three minutes"),
        ((150, 210), "大约两分半钟到四分钟", "between two and a half minutes and four minutes"),
        ((1_800, 3_600), "大约半小时到一个小时", "between half an hour and one hour"),
        ((2_400, 3_600), "大约四十到六十分钟", "between forty and sixty minutes"),
        ((3_000, 4_200), "大约五十到七十分钟", "between fifty and seventy minutes"),
        ((4_200, 4_200), "大约七十分钟", "about seventy minutes"),
        ((2_820, 7_201), "大约半小时到两个半小时", "between half an hour and two and a half hours"),
        ((3_600, 7_200), "大约一到两个小时", "between one and two hours"),
        ((5_400, 7_200), "大约一个半小时到两个小时", "between one and a half hours and two hours"),
        ((300, 180), "大约五分钟", "about five minutes"),
    ];
    for ((low, high), mandarin, english) in rows {
        let expected = [format!("预计等待时间{mandarin}"), format!("your expected wait is {english}")];
        assert_eq!(sounds(&wait(low, high)), expected, "{low}-{high} s");
    }
}

#[test]
fn places_lengths_and_digits_sound_right() {
    let rows = [
        (Phrase::Position(1), "[you-are-next]", "[you-are-next]"),
        (Phrase::Position(2), "您排在第二位", "you are number two in line"),
        (Phrase::Position(12), "您排在第十二位", "you are number twelve in line"),
        (Phrase::Position(105), "您排在第一百零五位", "you are number one hundred and five in line"),
        (Phrase::Ahead(0), "[you-are-next]", "[you-are-next]"),
        (Phrase::Ahead(1), "您前面还有一位来电者", "there is one caller ahead of you"),
        (Phrase::Ahead(2), "您前面还有两位来电者", "there are two callers ahead of you"),
        (Phrase::Ahead(22), "您前面还有二十二位来电者", "there are twenty-two callers ahead of you"),
        (Phrase::Minutes(0), "零分钟", "zero minutes"),
        (Phrase::Minutes(1), "一分钟", "one minute"),
        (Phrase::Minutes(2), "两分钟", "two minutes"),
        (Phrase::Minutes(102), "一百零二分钟", "one hundred and two minutes"),
        (Phrase::Digits(String::new()), "", ""),
        (Phrase::Digits("1".into()), "幺", "one"),
        (Phrase::Digits("12-05".into()), "幺二零五", "one two zero five"),
        (Phrase::Digits("12345".into()), "幺二三四五", "one two three four five"),
        (Phrase::Digits("123456".into()), "幺二三，四五六", "one two three, four five six"),
        (
            Phrase::Digits("1234567890123".into()),
            "幺二三四，五六七，八九零，幺二三",
            "one two three four, five six seven, eight nine zero, one two three",
        ),
        (Phrase::prompt("welcome"), "[welcome]", "[welcome]"),
    ];
    for (phrase, mandarin, english) in rows {
        assert_eq!(sounds(&phrase), [mandarin, english], "{phrase:?}");
    }
}

#[test]
fn times_sound_right() {
    let rows = [
        ((0, 0), "凌晨零点", "midnight"),
        ((0, 30), "凌晨零点半", "twelve thirty at night"),
        ((2, 5), "凌晨两点零五分", "two oh five at night"),
        ((5, 0), "凌晨五点", "five o'clock in the morning"),
        ((8, 0), "早上八点", "eight o'clock in the morning"),
        ((10, 10), "上午十点十分", "ten ten in the morning"),
        ((12, 0), "中午十二点", "noon"),
        ((12, 2), "中午十二点零二分", "twelve oh two in the afternoon"),
        ((14, 22), "下午两点二十二分", "two twenty-two in the afternoon"),
        ((17, 30), "下午五点半", "five thirty in the afternoon"),
        ((18, 0), "晚上六点", "six o'clock in the evening"),
        ((22, 45), "晚上十点四十五分", "ten forty-five at night"),
        ((23, 59), "晚上十一点五十九分", "eleven fifty-nine at night"),
        ((24, 0), "", ""),
        ((7, 60), "", ""),
    ];
    for ((hour, minute), mandarin, english) in rows {
        assert_eq!(sounds(&Phrase::Time { hour, minute }), [mandarin, english], "{hour}:{minute}");
    }
}

#[test]
fn dates_sound_right() {
    let rows = [
        ((1, 1), "一月一日", "the first of January"),
        ((2, 2), "二月二日", "the second of February"),
        ((2, 17), "二月十七日", "the seventeenth of February"),
        ((3, 3), "三月三日", "the third of March"),
        ((5, 5), "五月五日", "the fifth of May"),
        ((8, 8), "八月八日", "the eighth of August"),
        ((9, 9), "九月九日", "the ninth of September"),
        ((10, 12), "十月十二日", "the twelfth of October"),
        ((10, 13), "十月十三日", "the thirteenth of October"),
        ((11, 20), "十一月二十日", "the twentieth of November"),
        ((12, 22), "十二月二十二日", "the twenty-second of December"),
        ((12, 31), "十二月三十一日", "the thirty-first of December"),
        ((13, 1), "", ""),
        ((0, 1), "", ""),
        ((1, 0), "", ""),
        ((1, 32), "", ""),
    ];
    for ((month, day), mandarin, english) in rows {
        assert_eq!(sounds(&Phrase::Date { month, day }), [mandarin, english], "{month}-{day}");
    }
}

#[test]
fn years_and_days_of_the_calendar_sound_right() {
    let day = |year, month, day| Phrase::Day { year, month, day };
    let rows = [
        (Phrase::Year(2026), "二零二六年", "twenty twenty-six"),
        (Phrase::Year(2000), "二零零零年", "two thousand"),
        (Phrase::Year(2005), "二零零五年", "two thousand and five"),
        (Phrase::Year(2010), "二零一零年", "twenty ten"),
        (Phrase::Year(1905), "一九零五年", "nineteen oh five"),
        (Phrase::Year(1900), "一九零零年", "nineteen hundred"),
        (Phrase::Year(1066), "一零六六年", "ten sixty-six"),
        (Phrase::Year(79), "七九年", "seventy-nine"),
        (Phrase::Year(0), "", ""),
        (Phrase::Year(10_000), "", ""),
        (Phrase::Weekday(1), "星期一", "Monday"),
        (Phrase::Weekday(7), "星期日", "Sunday"),
        (Phrase::Weekday(8), "", ""),
        (Phrase::Weekday(0), "", ""),
        (
            day(2026, 2, 17),
            "二零二六年二月十七日星期二",
            "Tuesday, the seventeenth of February, twenty twenty-six",
        ),
        (
            day(2024, 2, 29),
            "二零二四年二月二十九日星期四",
            "Thursday, the twenty-ninth of February, twenty twenty-four",
        ),
        (
            day(1999, 12, 31),
            "一九九九年十二月三十一日星期五",
            "Friday, the thirty-first of December, nineteen ninety-nine",
        ),
        (day(2026, 2, 29), "", ""),
        (day(2026, 4, 31), "", ""),
        (day(2026, 13, 1), "", ""),
        (day(0, 1, 1), "", ""),
    ];
    for (phrase, mandarin, english) in rows {
        assert_eq!(sounds(&phrase), [mandarin, english], "{phrase:?}");
    }
}

#[test]
fn an_agent_is_named_where_the_name_is_recorded_and_else_numbered() {
    let agent = |number: &str, named| Phrase::Agent { number: number.into(), named };
    let rows = [
        (agent("8001", false), "工号八零零幺", "agent number eight zero zero one"),
        (agent("8001", true), "[name-8001]", "[name-8001]"),
        (agent("li-wei", false), "", ""),
    ];
    for (phrase, mandarin, english) in rows {
        assert_eq!(sounds(&phrase), [mandarin, english], "{phrase:?}");
    }
}

#[test]
fn who_serves_is_said_by_name_or_by_number_or_not_at_all() {
    let serves = |number: &str, named| Phrase::Serves { number: number.into(), named };
    let rows = [
        (serves("1024", false), "工号幺零二四为您服务", "agent number one zero two four is at your service"),
        (serves("8001", true), "[name-8001]为您服务", "[name-8001] is at your service"),
        (serves("li-wei", true), "[name-li-wei]为您服务", "[name-li-wei] is at your service"),
        (serves("li-wei", false), "", ""),
    ];
    for (phrase, mandarin, english) in rows {
        assert_eq!(sounds(&phrase), [mandarin, english], "{phrase:?}");
    }
}

#[test]
fn money_sounds_right() {
    let rows = [
        ((0, 0), "零元", "zero yuan"),
        ((0, 5), "五分", "five fen"),
        ((0, 20), "两角", "twenty fen"),
        ((0, 55), "五角五分", "fifty-five fen"),
        ((2, 0), "两元", "two yuan"),
        ((2, 22), "两元二角二分", "two yuan and twenty-two fen"),
        ((12, 5), "十二元零五分", "twelve yuan and five fen"),
        ((12, 50), "十二元五角", "twelve yuan and fifty fen"),
        ((205, 0), "二百零五元", "two hundred and five yuan"),
        ((20_000, 0), "两万元", "twenty thousand yuan"),
        ((1, 100), "", ""),
    ];
    for ((yuan, fen), mandarin, english) in rows {
        assert_eq!(sounds(&Phrase::Money { yuan, fen }), [mandarin, english], "{yuan}.{fen:02}");
    }
}

#[test]
fn the_cause_of_a_rise_is_said_before_the_wait() {
    let rise = |rose| {
        let minutes = |m: u64| Duration::from_secs(60 * m);
        transcript(Language::Mandarin, &told(&Told::Wait { low: minutes(5), high: minutes(8), rose }))
    };
    let wait = "预计等待时间大约五到八分钟";
    assert_eq!(rise(None), wait);
    assert_eq!(rise(Some(RiseCause::FewerAgents)), format!("[rise-fewer-agents] {wait}"));
    assert_eq!(rise(Some(RiseCause::LongerTalks)), format!("[rise-longer-talks] {wait}"));
    assert_eq!(rise(Some(RiseCause::UrgentCallers)), format!("[rise-urgent-callers] {wait}"));
    let plain = |what| transcript(Language::English, &told(&what));
    assert_eq!(plain(Told::Unknown), "[wait-unknown]");
    assert_eq!(plain(Told::NobodyYet), "[nobody-yet]");
    assert_eq!(plain(Told::Next), "[you-are-next]");
}

#[test]
fn recordings_are_played_in_the_order_of_the_words() {
    let ids = |language| {
        let phrases = [Phrase::prompt("welcome"), wait(120, 180)];
        say(language, &phrases).iter().map(|id| id.as_str().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(ids(Language::Mandarin), "welcome wait-is about two-of to n-3 minutes");
    assert_eq!(ids(Language::English), "welcome wait-is between n-2 and n-3 minutes");
}

#[test]
fn a_fragment_is_named_once_and_has_words() {
    for language in Language::ALL {
        let all = fragments(language);
        let names: BTreeSet<_> = all.iter().map(|(id, _)| id).collect();
        assert_eq!(names.len(), all.len());
        assert!(all.iter().all(|(_, words)| !words.is_empty()));
    }
}

fn phrase() -> impl Strategy<Value = Phrase> {
    prop_oneof![
        any::<u32>().prop_map(Phrase::Number),
        (0u32..3_000).prop_map(Phrase::Number),
        any::<u32>().prop_map(Phrase::Position),
        any::<u32>().prop_map(Phrase::Ahead),
        any::<u32>().prop_map(Phrase::Minutes),
        ".*".prop_map(Phrase::Digits),
        (0u64..20_000, 0u64..20_000).prop_map(|(low, more)| wait(low, low + more)),
        any::<(u64, u64)>().prop_map(|(low, high)| wait(low, high)),
        any::<(u8, u8)>().prop_map(|(hour, minute)| Phrase::Time { hour, minute }),
        (0u8..24, 0u8..60).prop_map(|(hour, minute)| Phrase::Time { hour, minute }),
        (0u8..15, 0u8..33).prop_map(|(month, day)| Phrase::Date { month, day }),
        any::<(u32, u8)>().prop_map(|(yuan, fen)| Phrase::Money { yuan, fen }),
        any::<u16>().prop_map(Phrase::Year),
        any::<u8>().prop_map(Phrase::Weekday),
        (1900u16..2100, 0u8..15, 0u8..33).prop_map(|(year, month, day)| Phrase::Day { year, month, day }),
        "[0-9a-z]{1,6}".prop_map(|number| Phrase::Agent { number, named: false }),
    ]
}

proptest! {
    #[test]
    fn whatever_is_said_is_recorded(phrase in phrase()) {
        for language in Language::ALL {
            let recorded: BTreeSet<PromptId> = fragments(language).into_iter().map(|(id, _)| id).collect();
            for id in say(language, std::slice::from_ref(&phrase)) {
                let known = recorded.contains(&id) || [PAUSE, YOU_ARE_NEXT].contains(&id.as_str());
                prop_assert!(known, "{language}: {id} of {phrase:?} is recorded nowhere");
            }
        }
    }

    #[test]
    fn different_numbers_sound_different(a in any::<u32>(), b in 0u32..100_000) {
        prop_assume!(a != b);
        for language in Language::ALL {
            prop_assert_ne!(
                transcript(language, &[Phrase::Number(a)]),
                transcript(language, &[Phrase::Number(b)])
            );
        }
    }
}
