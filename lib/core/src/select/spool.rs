//! Batches that are read several times: in memory while they are few, in a temporary file beyond.

use crate::Result;
use crate::input::spool;
use crate::rows::{Batches, sliced_bytes};
use crate::select::failed;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::FileReader;
use arrow::ipc::writer::FileWriter;
use std::fs::File;
use std::io::{BufReader, Seek};

/// The batches of a stream of rows.
pub struct Spool {
    schema: SchemaRef,
    /// Bytes of batches in memory at the most.
    memory: usize,
    bytes: usize,
    batches: Vec<RecordBatch>,
    file: Option<FileWriter<File>>,
}

impl Spool {
    /// An empty spool, of about `memory` bytes before there is a file.
    pub fn new(schema: SchemaRef, memory: usize) -> Self {
        Self { schema, memory, bytes: 0, batches: Vec::new(), file: None }
    }

    /// Appends a batch.
    pub fn write(&mut self, batch: RecordBatch) -> Result<()> {
        if let Some(file) = &mut self.file {
            return file.write(&batch).map_err(failed);
        }
        self.bytes += sliced_bytes(&batch);
        self.batches.push(batch);
        if self.bytes > self.memory {
            let mut file = FileWriter::try_new(spool::unnamed()?, &self.schema).map_err(failed)?;
            for batch in std::mem::take(&mut self.batches) {
                file.write(&batch).map_err(failed)?;
            }
            self.file = Some(file);
        }
        Ok(())
    }

    /// No more batches come.
    pub fn finish(self) -> Result<Spooled> {
        let Some(mut writer) = self.file else { return Ok(Spooled::Memory(self.batches)) };
        writer.finish().map_err(failed)?;
        writer.into_inner().map(Spooled::File).map_err(failed)
    }
}

/// All batches, to be read from the first one on as often as wanted, once at a time.
pub enum Spooled {
    /// They are few.
    Memory(Vec<RecordBatch>),
    /// A temporary Arrow file.
    File(File),
}

impl Spooled {
    /// All batches in order.
    pub fn read(&self) -> Result<Batches> {
        match self {
            Self::Memory(batches) => Ok(Box::new(batches.clone().into_iter().map(Ok))),
            Self::File(file) => {
                let io = |error| crate::Error::io("temporary file", &error);
                let mut file = file.try_clone().map_err(io)?;
                file.rewind().map_err(io)?;
                let reader = FileReader::try_new(BufReader::new(file), None).map_err(failed)?;
                Ok(Box::new(reader.map(|batch| batch.map_err(failed))))
            }
        }
    }
}
