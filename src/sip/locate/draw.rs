//! The order in which SRV records are tried, RFC 2782: by priority, and within one priority by chance in proportion to
//! the weights. Invariant: every record comes out once, none before one of a lower priority.
use super::record::Srv;
use crate::base::Rng;

/// The records in the order in which they are to be tried this time.
pub(super) fn draw(records: &[Srv], rng: &mut Rng) -> Vec<Srv> {
    let mut left: Vec<&Srv> = records.iter().collect();
    // Those of weight 0 stand first in their priority, so that they have a small chance and no more.
    left.sort_by_key(|r| (r.priority, r.weight != 0));
    let mut drawn = Vec::with_capacity(left.len());
    while let Some(priority) = left.first().map(|r| r.priority) {
        let same = left.iter().take_while(|r| r.priority == priority).count();
        let sum: u64 = left.iter().take(same).map(|r| u64::from(r.weight)).sum();
        let wanted = rng.below(sum + 1);
        let mut running = 0;
        let at = left.iter().take(same).position(|r| {
            running += u64::from(r.weight);
            running >= wanted
        });
        drawn.push(left.remove(at.unwrap_or(0)).clone());
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    fn srv(priority: u16, weight: u16, target: &str) -> Srv {
        Srv { priority, weight, port: 5060, target: target.to_owned() }
    }

    fn first_of(records: &[Srv], times: u32) -> std::collections::BTreeMap<String, u32> {
        let mut rng = Rng::from_number(2_782);
        let mut first = std::collections::BTreeMap::new();
        for _ in 0..times {
            *first.entry(draw(records, &mut rng).swap_remove(0).target).or_default() += 1;
        }
        first
    }

    #[test]
    fn a_lower_priority_always_comes_first() {
        let records = [srv(20, 100, "c"), srv(10, 1, "a"), srv(10, 0, "b")];
        let mut rng = Rng::from_number(1);
        for _ in 0..200 {
            let drawn = draw(&records, &mut rng);
            assert_eq!(drawn.len(), 3);
            assert_eq!(drawn[2].target, "c");
        }
    }

    #[test]
    fn within_a_priority_the_share_is_the_weight() {
        // The example of RFC 2782: "old-slow-box" has a quarter, "new-fast-box" three.
        let records = [srv(0, 1, "old-slow-box"), srv(0, 3, "new-fast-box"), srv(1, 0, "sysadmins-box")];
        let first = first_of(&records, 10_000);
        // Of 0..=4 the numbers 0 and 1 mean the first: two in five, by the text of the RFC.
        assert!((3_800..4_200).contains(&first["old-slow-box"]), "{first:?}");
        assert!((5_800..6_200).contains(&first["new-fast-box"]), "{first:?}");
        let first = first_of(&[srv(0, 10, "a"), srv(0, 60, "b"), srv(0, 30, "c")], 20_000);
        assert!((1_900..2_500).contains(&first["a"]), "{first:?}");
        assert!((11_500..12_300).contains(&first["b"]), "{first:?}");
        assert!((5_600..6_300).contains(&first["c"]), "{first:?}");
    }

    #[test]
    fn a_weight_of_nothing_has_a_small_chance_beside_others() {
        let first = first_of(&[srv(0, 99, "a"), srv(0, 0, "b")], 10_000);
        assert!((50..200).contains(&first["b"]), "{first:?}");
    }

    #[test]
    fn all_of_weight_nothing_come_out_as_they_stand() {
        let mut rng = Rng::from_number(3);
        let drawn = draw(&[srv(0, 0, "a"), srv(0, 0, "b")], &mut rng);
        assert_eq!(drawn.iter().map(|r| r.target.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    }
}
