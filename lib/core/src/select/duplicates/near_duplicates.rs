//! The stage that drops near duplicates: [`crate::select::duplicates::near`] over the rows.

use crate::Result;
use crate::select::duplicates::Find;
use crate::select::duplicates::clusters::Clusters;
use crate::select::duplicates::near::Near;
use crate::select::duplicates::reader::{Likeness, Reader};
use crate::select::ledger::StageLedger;
use crate::select::texts::Texts;
use arrow::array::RecordBatch;

/// Finds near duplicates.
pub struct NearDuplicates {
    least: f64,
    /// None once all rows are read.
    reader: Option<Reader>,
    found: Option<Near>,
}

impl NearDuplicates {
    /// Near duplicates of that likeness.
    pub fn new(likeness: Likeness) -> Result<Self> {
        let reader = Reader::new(likeness, "--near")?;
        Ok(Self { least: likeness.threshold, reader: Some(reader), found: None })
    }
}

impl Find for NearDuplicates {
    fn name(&self) -> &'static str {
        "near"
    }

    fn reason(&self) -> String {
        format!("of a cluster of near rows (Jaccard index of {} or more)", self.least)
    }

    fn readings(&self) -> usize {
        self.reader.as_ref().map_or(1, Reader::readings)
    }

    fn read(
        &mut self,
        reading: usize,
        row: usize,
        batches: &[(Texts<'_>, &RecordBatch)],
    ) -> Result<()> {
        match &mut self.reader {
            Some(reader) => reader.read(reading, row, batches),
            None => Ok(()),
        }
    }

    fn clusters(&mut self, rows: usize, _: &StageLedger) -> Result<Clusters> {
        let Some(reader) = self.reader.take() else { return Ok(Clusters::new(rows)) };
        let mut near = reader.finish()?.clusters(rows)?;
        let clusters = std::mem::take(&mut near.clusters);
        self.found = Some(near);
        Ok(clusters)
    }

    fn similarities(&mut self, pairs: &[(u32, u32)]) -> Result<Vec<f64>> {
        match &mut self.found {
            Some(near) => near.similarities(pairs),
            None => Ok(vec![1.0; pairs.len()]),
        }
    }
}
