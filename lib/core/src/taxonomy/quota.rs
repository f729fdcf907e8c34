//! How many prompts each leaf gives: the same from each, or a total shared out down the tree by weight.

use super::Taxonomy;
use crate::expand::Chosen;
use crate::random::Draws;
use crate::select::sized::quota::share;
use std::collections::BTreeMap;

/// How many base prompts are wanted in each language; without either, all there are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quota {
    /// From each leaf, at the most.
    pub per_leaf: Option<usize>,
    /// In all.
    pub total: Option<usize>,
}

/// A risk that has fewer prompts than its share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Short {
    /// Its English name.
    pub risk: String,
    /// Its share.
    pub wanted: usize,
    /// What there is.
    pub has: usize,
}

impl Taxonomy {
    /// How many prompts each leaf is to give, by its number, where each can give `room` of them; and the
    /// risks that cannot fill their share, whose rest goes to the risks beside them.
    pub fn allocate(
        &self,
        quota: Quota,
        room: &dyn Fn(usize) -> usize,
    ) -> (BTreeMap<usize, usize>, Vec<Short>) {
        let leaves: Vec<usize> = self.leaves().collect();
        let cap = |leaf: usize| room(leaf).min(quota.per_leaf.unwrap_or(usize::MAX));
        let mut short = Vec::new();
        if let Some(wanted) = quota.per_leaf {
            let lacking = leaves.iter().filter(|&&leaf| room(leaf) < wanted);
            short.extend(lacking.map(|&leaf| self.short(leaf, wanted, room(leaf))));
        }
        let mut given = vec![0; self.risks.len()];
        let mut room_below = vec![0; self.risks.len()];
        for &leaf in &leaves {
            self.path(leaf).into_iter().for_each(|risk| room_below[risk] += cap(leaf));
        }
        match quota.total {
            None => leaves.iter().for_each(|&leaf| given[leaf] = cap(leaf)),
            Some(total) => self.share_below(None, total, &room_below, &mut given, &mut short),
        }
        (leaves.into_iter().map(|leaf| (leaf, given[leaf])).collect(), short)
    }

    /// Shares `total` out among the risks below `parent`, and theirs among those below them.
    fn share_below(
        &self,
        parent: Option<usize>,
        total: usize,
        room: &[usize],
        given: &mut [usize],
        short: &mut Vec<Short>,
    ) {
        let children: Vec<usize> =
            (0..self.risks.len()).filter(|&risk| self.parents[risk] == parent).collect();
        let leaves = |risk: usize| self.leaves().filter(|&l| self.path(l).contains(&risk)).count();
        let weights: Vec<f64> = children
            .iter()
            .map(|&risk| self.risks[risk].weight.unwrap_or_else(|| leaves(risk) as f64))
            .collect();
        let rooms: Vec<usize> = children.iter().map(|&risk| room[risk]).collect();
        let unbounded = share(total, &weights, &vec![usize::MAX; children.len()]);
        for (at, part) in share(total, &weights, &rooms).into_iter().enumerate() {
            let risk = children[at];
            if part < unbounded[at] && part == rooms[at] {
                short.push(self.short(risk, unbounded[at], part));
            }
            given[risk] = part;
            self.share_below(Some(risk), part, room, given, short);
        }
    }

    fn short(&self, risk: usize, wanted: usize, has: usize) -> Short {
        Short { risk: self.risks[risk].en.clone(), wanted, has }
    }

    /// Which of `patterns` are applied to each topic, so that every leaf gives its quota, spread over its
    /// topics and over the patterns: each topic once, with a pattern other than its neighbours', before any
    /// topic a second time. The same in every language, so that prompts stay pairs.
    /// A leaf that lacks topics in one of the languages gives none.
    pub fn choose(
        &self,
        quota: Quota,
        patterns: &[usize],
        languages: &[String],
        seed: u64,
    ) -> (Chosen, Vec<Short>) {
        let of = |leaf: usize, language| self.risks[leaf].topics.get(language).map_or(0, Vec::len);
        let topics = |leaf: usize| languages.iter().map(|l| of(leaf, l)).min().unwrap_or(0);
        let (quotas, short) = self.allocate(quota, &|leaf| topics(leaf) * patterns.len());
        let mut chosen = Chosen::new();
        for (leaf, wanted) in quotas {
            let id = self.risks[leaf].id();
            let mut draws = Draws::new(seed, "quota", id);
            let (order, count) = (shuffled(topics(leaf), &mut draws), patterns.len());
            let shuffled = shuffled(count, &mut draws);
            for at in 0..wanted {
                let (round, place) = (at / order.len(), at % order.len());
                let pattern = patterns[shuffled[(place + round) % count]];
                chosen.entry(format!("{id}/{}", order[place])).or_default().push(pattern);
            }
        }
        chosen.values_mut().for_each(|patterns| patterns.sort_unstable());
        (chosen, short)
    }
}

/// 0 to `count` - 1 in an order that is drawn.
fn shuffled(count: usize, draws: &mut Draws) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    for at in (1..count).rev() {
        order.swap(at, draws.below(at as u64 + 1) as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_goes_down_the_tree_by_weight() {
        let taxonomy = super::super::tests::parse(
            "[[risk]]\nid='a'\nen='A'\nabout=''\nweight=3\n[[risk]]\nid='b'\nen='B'\nabout=''\nweight=1\n\
             topics.en=['p','q','r','s']\n[[risk]]\nid='a.x'\nen='X'\nabout=''\ntopics.en=['t','u','v']\n\
             [[risk]]\nid='a.y'\nen='Y'\nabout=''\ntopics.en=['w']\n",
        )
        .unwrap();
        let quota = Quota { total: Some(12), per_leaf: None };
        let (given, short) = taxonomy.allocate(quota, &|_| 100);
        assert_eq!(given, BTreeMap::from([(1, 3), (2, 5), (3, 4)]));
        assert!(short.is_empty());
        let (given, short) = taxonomy.allocate(quota, &|leaf| if leaf == 3 { 1 } else { 100 });
        assert_eq!(given, BTreeMap::from([(1, 3), (2, 8), (3, 1)]));
        assert_eq!(short, [Short { risk: "Y".into(), wanted: 4, has: 1 }]);
        let (chosen, _) = taxonomy.choose(quota, &[0, 1, 2, 3], &["en".to_owned()], 7);
        assert_eq!(chosen.values().map(Vec::len).sum::<usize>(), 12);
        // Topics are spread before one is taken twice.
        assert!(["a.x/0", "a.x/1", "a.x/2"].iter().all(|id| (1..=2).contains(&chosen[*id].len())));
    }
}
