//! Puts answers back into the order of their requests.

use std::collections::VecDeque;

use crate::exchange::Answer;

/// The requests that are open, oldest first.
#[derive(Default)]
pub struct Window {
    first: u64,
    slots: VecDeque<Slot>,
    bytes: usize,
}

struct Slot {
    /// Bytes that the request, and then its answer too, hold.
    bytes: usize,
    answer: Option<Box<Answer>>,
}

impl Window {
    /// A place for a request that weighs so much; its number.
    pub fn open(&mut self, bytes: usize) -> u64 {
        self.slots.push_back(Slot { bytes, answer: None });
        self.bytes += bytes;
        self.first + self.slots.len() as u64 - 1
    }

    /// The answer to the request with that number.
    pub fn fill(&mut self, number: u64, answer: Box<Answer>) {
        let at = number.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        if let Some(slot) = at.and_then(|at| self.slots.get_mut(at)) {
            let bytes = answer.weight();
            slot.bytes += bytes;
            self.bytes += bytes;
            slot.answer = Some(answer);
        }
    }

    /// Whether the oldest request has its answer.
    pub fn is_ready(&self) -> bool {
        self.slots.front().is_some_and(|slot| slot.answer.is_some())
    }

    /// The answers to the oldest requests, up to the first that has none, or to so many bytes.
    #[expect(clippy::vec_box, reason = "an answer is large, and stays where it is on its way")]
    pub fn take(&mut self, most: usize, bytes: usize) -> Vec<Box<Answer>> {
        let mut taken = Vec::new();
        let mut weight = 0;
        while taken.len() < most && weight <= bytes {
            let Some(answer) = self.slots.front_mut().and_then(|slot| slot.answer.take()) else {
                break;
            };
            let slot_bytes = self.slots.pop_front().map_or(0, |slot| slot.bytes);
            self.first += 1;
            self.bytes -= slot_bytes;
            weight += slot_bytes;
            taken.push(answer);
        }
        taken
    }

    /// How many requests are open.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Bytes of text that they hold.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Outcome;

    fn answer(text: &str) -> Box<Answer> {
        Box::new(Answer { response: Some(text.into()), ..Answer::of(Outcome::Answered) })
    }

    #[test]
    fn answers_leave_in_the_order_of_their_requests() {
        let mut window = Window::default();
        let numbers: Vec<u64> = (0..4).map(|_| window.open(10)).collect();
        window.fill(numbers[2], answer("c"));
        window.fill(numbers[1], answer("b"));
        assert!(!window.is_ready() && window.take(9, 99).is_empty());
        window.fill(numbers[0], answer("a"));
        assert_eq!(window.bytes(), 43);
        let texts = |answers: Vec<Box<Answer>>| {
            answers.into_iter().filter_map(|answer| answer.response).collect::<Vec<_>>()
        };
        assert_eq!(texts(window.take(2, 99)), ["a", "b"]);
        assert_eq!(texts(window.take(9, 99)), ["c"]);
        assert_eq!((window.len(), window.bytes()), (1, 10));
        assert_eq!(window.open(1), 4);
    }

    #[test]
    fn large_answers_leave_few_at_a_time() {
        let mut window = Window::default();
        for _ in 0..3 {
            window.open(60);
        }
        (0..3).for_each(|number| window.fill(number, answer("")));
        assert_eq!(window.take(9, 100).len(), 2);
    }
}
