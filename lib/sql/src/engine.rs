//! One query: plan it, run it on a thread of its own, hand the batches over a bounded channel.
//!
//! The thread has a large stack, because DataFusion walks nested SQL by recursion and a debug build
//! overflows the usual one. The channel holds two batches, so a slow reader slows the query down.
//! An engine that dies is an error of the rows, never a short result.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use datafusion::common::TableReference;
use datafusion::error::Result as EngineResult;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionStateBuilder, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::StreamExt;

use crate::error::{Error, Phase, Refused, explain};
use crate::statement::one_select;
use crate::table::{Fault, Source};
use crate::{Limits, Rows, Table, functions, plain};

const STACK: usize = 32 << 20;

/// Plans one SELECT over the tables and starts it. Returns when the columns are known; the rows are
/// computed as they are read.
///
/// # Errors
/// [`Error::Sql`] for anything but one SELECT over the given tables. What goes wrong later comes
/// out of [`Rows::batches`].
pub fn query(sql: &str, tables: Vec<Table>, limits: &Limits) -> Result<Rows, Error> {
    let (planned, plan) = sync_channel(1);
    let (sender, receiver) = sync_channel(2);
    let (sql, limits) = (sql.to_string(), limits.clone());
    let time = limits.time;
    let worker = Builder::new()
        .name("sql".into())
        .stack_size(STACK)
        .spawn(move || run(&sql, tables, &limits, &planned, &sender))
        .map_err(|error| Error::Resources(format!("no thread for the query: {error}")))?;
    let clock = Clock { started: Instant::now(), limit: time };
    match clock.wait(&plan) {
        Ok(schema) => {
            let batches = Received { receiver, worker: Some(worker), clock };
            Ok(Rows { schema: schema?, batches: Box::new(batches) })
        }
        Err(RecvTimeoutError::Timeout) => Err(clock.over()),
        Err(RecvTimeoutError::Disconnected) => {
            Err(died(worker).unwrap_or_else(|| Error::Sql("the query was not planned".into())))
        }
    }
}

/// The time that a query may take. Whoever waits for it looks at the clock, not the engine, which may
/// be long in one step.
struct Clock {
    started: Instant,
    limit: Option<Duration>,
}

impl Clock {
    fn wait<T>(&self, receiver: &Receiver<T>) -> Result<T, RecvTimeoutError> {
        match self.limit {
            None => receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(limit) => receiver.recv_timeout(limit.saturating_sub(self.started.elapsed())),
        }
    }

    fn over(&self) -> Error {
        let seconds = self.limit.unwrap_or_default().as_secs_f64();
        Error::Resources(format!("it took longer than the limit of {seconds} s"))
    }
}

/// The reading end.
struct Received {
    receiver: Receiver<Result<RecordBatch, Error>>,
    worker: Option<JoinHandle<()>>,
    clock: Clock,
}

impl Iterator for Received {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let carry = |error| ArrowError::ExternalError(Box::new(error));
        // After an error nothing more comes.
        self.worker.as_ref()?;
        match self.clock.wait(&self.receiver) {
            Ok(batch) => Some(batch.map_err(carry)),
            Err(RecvTimeoutError::Timeout) => {
                self.worker = None;
                Some(Err(carry(self.clock.over())))
            }
            // The channel also closes when the worker panics, which must not pass for the last row.
            Err(RecvTimeoutError::Disconnected) => {
                self.worker.take().and_then(died).map(|error| Err(carry(error)))
            }
        }
    }
}

/// Waits for a worker whose channel has closed; its error if it panicked.
fn died(worker: JoinHandle<()>) -> Option<Error> {
    let panic = worker.join().err()?;
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
    Some(Error::Sql(format!("the SQL engine failed on this statement: {text}")))
}

type Planned = SyncSender<Result<SchemaRef, Error>>;
type Sender = SyncSender<Result<RecordBatch, Error>>;

/// The worker: it ends when the rows do, or when nobody reads them any more.
fn run(sql: &str, tables: Vec<Table>, limits: &Limits, planned: &Planned, sender: &Sender) {
    let names: Vec<String> = tables.iter().map(|table| table.name.clone()).collect();
    let fault = Fault::default();
    let runtime = match runtime(limits.threads) {
        Ok(runtime) => runtime,
        Err(error) => {
            let error = Error::Resources(format!("no threads for the query: {error}"));
            // Nobody waiting is nobody to tell: so everywhere below.
            let _ = planned.send(Err(error));
            return;
        }
    };
    runtime.block_on(async {
        let plan = match plan(sql, tables, limits, &fault).await {
            Ok(plan) => plan,
            Err(Refused::Ours(error)) => return drop(planned.send(Err(error))),
            Err(Refused::Engine(error)) => {
                let error = explain(&error, Phase::Planning, &names);
                return drop(planned.send(Err(error)));
            }
        };
        if planned.send(Ok(Arc::clone(&plan.schema))).is_err() {
            return;
        }
        if let Err(error) = rows(&plan, sender).await {
            let error = match fault.get() {
                Some(text) => Error::Data(text.clone()),
                None => explain(&error, Phase::Running, &names),
            };
            let _ = sender.send(Err(error));
        }
    });
}

fn runtime(threads: usize) -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = match threads {
        0 | 1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    builder.worker_threads(threads.max(1)).thread_stack_size(STACK).build()
}

/// A statement ready to run.
struct Plan {
    root: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    schema: SchemaRef,
}

async fn plan(
    sql: &str,
    tables: Vec<Table>,
    limits: &Limits,
    fault: &Fault,
) -> Result<Plan, Refused> {
    let statement = one_select(sql)?;
    let session = session(limits)?;
    for table in tables {
        let name = TableReference::bare(table.name.clone());
        session.register_table(name, Arc::new(Source::new(table, fault)))?;
    }
    let state = session.state();
    let logical = state.statement_to_plan(statement).await?;
    // A SELECT can still write: `WITH … INSERT`, `SELECT … INTO`.
    let read_only =
        SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    let writes = || Error::Sql("only a SELECT can be run here: nothing is ever written".into());
    read_only.verify_plan(&logical).map_err(|_| Refused::Ours(writes()))?;
    let schema = plain::schema(logical.schema().as_arrow());
    distinct_names(&schema)?;
    let root = state.create_physical_plan(&logical).await?;
    Ok(Plan { root, context: state.task_ctx(), schema })
}

/// Two columns of one name could not be told apart in a file.
fn distinct_names(schema: &SchemaRef) -> Result<(), Refused> {
    let mut seen = HashSet::new();
    match schema.fields().iter().find(|field| !seen.insert(field.name())) {
        None => Ok(()),
        Some(twice) => Err(Refused::Ours(Error::Sql(format!(
            "two columns are named `{}`; rename one with AS",
            twice.name()
        )))),
    }
}

fn session(limits: &Limits) -> EngineResult<SessionContext> {
    let mut config = SessionConfig::new()
        .with_information_schema(false)
        .with_target_partitions(limits.threads.max(1))
        // Rows of a plain SELECT keep the order of their table, with any number of threads.
        .with_round_robin_repartition(false);
    config.options_mut().sql_parser.map_string_types_to_utf8view = false;
    let mut runtime = RuntimeEnvBuilder::new();
    if let Some(bytes) = limits.memory_bytes {
        // A sort keeps this much back to merge what it spilled; the default is 10 MiB.
        let kept = config.options().execution.sort_spill_reservation_bytes.min(bytes / 16);
        config = config.with_sort_spill_reservation_bytes(kept);
        let top = NonZeroUsize::MIN;
        runtime = runtime
            .with_memory_pool(Arc::new(TrackConsumersPool::new(FairSpillPool::new(bytes), top)));
    }
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(Arc::new(runtime.build()?))
        .with_default_features()
        .build();
    let session = SessionContext::new_with_state(state);
    functions::register(&session);
    Ok(session)
}

/// Sends all rows. Partitions come one after the other, so that both halves of a `UNION ALL` keep
/// their places; an `ORDER BY` has merged them into one before.
async fn rows(plan: &Plan, sender: &Sender) -> EngineResult<()> {
    for partition in 0..plan.root.properties().output_partitioning().partition_count() {
        let mut stream = plan.root.execute(partition, Arc::clone(&plan.context))?;
        while let Some(batch) = stream.next().await {
            let batch = plain::batch(&batch?, &plan.schema)?;
            if batch.num_rows() > 0 && sender.send(Ok(batch)).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}
