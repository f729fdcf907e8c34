//! How much a run may send and spend.

use super::Limits;
use super::job::Estimate;
use crate::journal::Billed;

/// What a run has sent and spent, beside what it may.
#[derive(Debug)]
pub struct Budget {
    max_requests: Option<u64>,
    max_cost: Option<f64>,
    sent: u64,
    spent: f64,
    /// What the requests under way will cost, about.
    due: f64,
}

/// Why nothing more is sent.
#[derive(Clone, Debug, PartialEq)]
pub enum UsedUp {
    /// So many requests were sent.
    Requests(u64),
    /// So many dollars were spent, and the next request might go over.
    Cost(f64),
}

impl Budget {
    /// Nothing is sent yet.
    pub fn new(limits: &Limits) -> Self {
        let Limits { max_requests, max_cost, .. } = *limits;
        Self { max_requests, max_cost, sent: 0, spent: 0.0, due: 0.0 }
    }

    /// Why the next request may not be sent, if it may not.
    pub fn used_up(&self, next: Estimate) -> Option<UsedUp> {
        if self.max_requests.is_some_and(|most| self.sent >= most) {
            return Some(UsedUp::Requests(self.sent));
        }
        match self.max_cost {
            Some(most) if self.spent + self.due + next.cost > most => {
                Some(UsedUp::Cost(self.spent))
            }
            _ => None,
        }
    }

    /// A request is sent.
    pub fn send(&mut self, estimate: Estimate) {
        self.sent += 1;
        self.due += estimate.cost;
    }

    /// It has cost so much; where nobody says how much, and it may have cost something, what was
    /// guessed.
    pub fn end(&mut self, estimate: Estimate, cost: Option<f64>, billed: Billed) {
        let guess = if billed == Billed::No { 0.0 } else { estimate.cost };
        self.due = (self.due - estimate.cost).max(0.0);
        self.spent += cost.unwrap_or(guess);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_under_way_counts_as_spent() {
        let limits = Limits { max_cost: Some(1.0), ..Limits::default() };
        let mut budget = Budget::new(&limits);
        let next = Estimate { cost: 0.4, ..Estimate::default() };
        assert_eq!(budget.used_up(next), None);
        budget.send(next);
        budget.send(next);
        assert_eq!(budget.used_up(next), Some(UsedUp::Cost(0.0)));
        budget.end(next, Some(0.1), Billed::Yes);
        assert_eq!(budget.used_up(next), None);
        budget.end(next, Some(0.7), Billed::Yes);
        assert!(matches!(budget.used_up(next), Some(UsedUp::Cost(spent)) if spent > 0.79));
    }

    #[test]
    fn what_may_have_cost_something_is_taken_to_have() {
        let mut budget = Budget::new(&Limits { max_cost: Some(1.0), ..Limits::default() });
        let next = Estimate { cost: 0.4, ..Estimate::default() };
        for billed in [Billed::No, Billed::Yes, Billed::Possibly] {
            assert_eq!(budget.used_up(next), None, "{billed:?}");
            budget.send(next);
            budget.end(next, None, billed);
        }
        assert!(matches!(budget.used_up(next), Some(UsedUp::Cost(spent)) if spent > 0.79));
    }

    #[test]
    fn requests_are_counted_as_they_are_sent() {
        let limits = Limits { max_requests: Some(1), ..Limits::default() };
        let mut budget = Budget::new(&limits);
        assert_eq!(budget.used_up(Estimate::default()), None);
        budget.send(Estimate::default());
        assert_eq!(budget.used_up(Estimate::default()), Some(UsedUp::Requests(1)));
    }
}
