//! Clusters of rows: what is joined, directly or through others, is one cluster (union-find).

/// Rows, each at first a cluster of its own.
#[derive(Default)]
pub struct Clusters {
    parents: Vec<u32>,
}

impl Clusters {
    /// So many rows.
    pub fn new(rows: usize) -> Self {
        Self { parents: (0..rows as u32).collect() }
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.parents.len()
    }

    /// The lowest row of the cluster that a row is in.
    pub fn root(&mut self, row: u32) -> u32 {
        let mut at = row;
        loop {
            let parent = self.parents[at as usize];
            if parent == at {
                return at;
            }
            // Halves the way for the next one.
            let above = self.parents[parent as usize];
            self.parents[at as usize] = above;
            at = above;
        }
    }

    /// The lowest row of each row's cluster.
    pub fn roots(mut self) -> Vec<u32> {
        // A parent is lower than its child, and was settled before it.
        for row in 0..self.parents.len() {
            self.parents[row] = self.parents[self.parents[row] as usize];
        }
        self.parents
    }

    /// Makes the clusters of two rows one.
    pub fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        self.parents[a.max(b) as usize] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use super::Clusters;

    #[test]
    fn a_cluster_is_named_by_its_lowest_row() {
        let mut clusters = Clusters::new(6);
        for (a, b) in [(5, 3), (3, 1), (4, 2), (1, 5)] {
            clusters.join(a, b);
        }
        assert_eq!([0, 1, 2, 3, 4, 5].map(|row| clusters.root(row)), [0, 1, 2, 1, 2, 1]);
    }
}
