//! Disjoint sets of rows, each known by its lowest: who is joined in which order makes no
//! difference.

/// The sets.
pub struct Clusters(Vec<u32>);

impl Clusters {
    /// Each row alone.
    pub fn new(rows: usize) -> Self {
        Self((0..rows as u32).collect())
    }

    /// The lowest row of a row's set.
    pub fn root(&mut self, mut row: u32) -> u32 {
        loop {
            let parent = self.0[row as usize];
            if parent == row {
                return row;
            }
            // Halves the way for who comes next.
            let next = self.0[parent as usize];
            self.0[row as usize] = next;
            row = next;
        }
    }

    /// Makes one set of two rows' sets.
    pub fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b) as usize] = a.min(b);
    }

    /// The lowest row of every row's set.
    pub fn roots(mut self) -> Vec<u32> {
        // A parent is lower than its child, and was settled before it.
        for row in 0..self.0.len() {
            self.0[row] = self.0[self.0[row] as usize];
        }
        self.0
    }
}
