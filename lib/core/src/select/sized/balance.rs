//! How much each stratum gives, as the command line says it.

use crate::input::{self, Source};
use crate::select::sized::quota::Shares as Weights;
use crate::select::sized::quota::{Excess, Plan, Quotas, Rounding, Short};
use crate::select::strata::{Sorted, Strata};
use crate::select::texts::missing;
use crate::{Error, Result, cli};
use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use std::collections::HashMap;

/// What strata give in proportion to.
#[derive(Clone, Debug)]
pub enum Shares {
    /// How many items they have.
    Proportional,
    /// Nothing: each gives the same.
    Equal,
    /// The numbers in the column `weight` of a table that has the columns of the strata too.
    Table(Vec<Source>),
}

/// How sizes are shared out among strata.
#[derive(Clone, Debug)]
pub struct Balance {
    /// The columns that make the strata.
    pub by: Vec<String>,
    /// In proportion to what.
    pub shares: Shares,
    /// Every share is rounded up, and what is too much comes off this stratum.
    pub up_but: Option<String>,
    /// Strata that cannot give their quota give what they have.
    pub allow_short: bool,
}

impl Balance {
    /// The plan for these strata.
    pub fn plan(&self, strata: &Sorted) -> Result<Plan> {
        let shares = match &self.shares {
            Shares::Proportional => Weights::Population,
            Shares::Equal => Weights::Equal,
            Shares::Table(sources) => Weights::Weights(self.weights(sources, strata)?),
        };
        let rounding = match &self.up_but {
            None => Rounding::LargestRemainder,
            Some(name) => {
                let stratum = strata.names.iter().position(|known| known == name);
                let unknown = || {
                    Error::usage("--ceil", format!("there is no stratum `{name}`"))
                        .hint(format!("there are: {}", strata.names.join("; ")))
                };
                Rounding::Up { excess_from: stratum.ok_or_else(unknown)? }
            }
        };
        Ok(Plan { shares, rounding })
    }

    /// The weights in a table; a stratum that it does not name gives nothing.
    fn weights(&self, sources: &[Source], strata: &Sorted) -> Result<Vec<f64>> {
        let rows = input::read(sources.to_vec(), &input::Options::default())?;
        let mut named = Strata::new(&self.by);
        named.check(&rows.schema).map_err(|error| error.at("--quotas"))?;
        let mut weights = Vec::new();
        for batch in rows.batches {
            let batch = batch?;
            let column = batch.column_by_name("weight");
            let column = column.ok_or_else(|| missing(&rows.schema, "weight").at("--quotas"))?;
            let numbers = cast(column, &DataType::Float64);
            let numbers =
                numbers.map_err(|error| Error::data("--quotas: column `weight`", error))?;
            weights.extend(numbers.as_primitive::<Float64Type>().iter());
            named.add(&batch)?;
        }
        let named = named.sorted();
        let mut by_key: HashMap<&str, (&str, f64)> = HashMap::new();
        for (row, (stratum, weight)) in named.of.iter().zip(weights).enumerate() {
            let (key, name) = (&named.keys[*stratum as usize], &named.names[*stratum as usize]);
            let weight = weight.filter(|weight| weight.is_finite() && *weight >= 0.0);
            let wrong = || {
                let place = format!("--quotas: row {}", row + 1);
                Error::data(place, "the weight is no number of at least 0")
            };
            if by_key.insert(key, (name, weight.ok_or_else(wrong)?)).is_some() {
                let place = format!("--quotas: row {}", row + 1);
                return Err(Error::data(place, format!("`{name}` is named twice")));
            }
        }
        if by_key.values().map(|(_, weight)| weight).sum::<f64>() <= 0.0 {
            return Err(Error::data("--quotas", "all weights are 0"));
        }
        let absent = |key: &str| !strata.keys.iter().any(|known| known == key);
        let none = by_key.iter().filter(|(key, (_, weight))| *weight > 0.0 && absent(key));
        if let Some(name) = none.map(|(_, (name, _))| name).min() {
            return Err(Error::data("--quotas", format!("there is no row of stratum `{name}`"))
                .hint("give it weight 0, or other rows"));
        }
        let weight = |key: &String| by_key.get(key.as_str()).map_or(0.0, |(_, weight)| *weight);
        Ok(strata.keys.iter().map(weight).collect())
    }

    /// Refuses quotas that cannot be met, or, if that is allowed, says so.
    pub fn accept(&self, quotas: &Quotas, strata: &Sorted) -> Result<()> {
        if quotas.short.is_empty() && !strata.names.is_empty() {
            return Ok(());
        }
        let one = |short: &Short| {
            let (has, wanted) = (cli::count(short.has as u64), cli::count(short.wanted as u64));
            let name = strata.names.get(short.stratum).map_or("", |name| name.as_str());
            let name = if name.is_empty() { "the rows" } else { name };
            format!("{name}: {has} of {wanted}, {} short", short.wanted - short.has)
        };
        let all: Vec<String> = quotas.short.iter().map(one).collect();
        let what = match strata.names.is_empty() {
            true => "no size can be met: there are no rows".to_owned(),
            false => format!("size {} cannot be met: {}", quotas.size, all.join("; ")),
        };
        match self.allow_short {
            true => cli::warn(what),
            false => {
                return Err(Error::data("the input", what).hint(
                    "give more rows, a smaller size or other quotas, or go on with --allow-short",
                ));
            }
        }
        Ok(())
    }
}

/// Rounding up gave more too many than the stratum has that they should come off.
pub fn too_much(excess: Excess, strata: &Sorted) -> Error {
    let name = strata.names.get(excess.stratum).map_or("", |name| name.as_str());
    let what = format!(
        "rounding up gives {} too many, and the quota of `{name}` is only {}",
        excess.excess, excess.quota
    );
    Error::usage("--ceil", what).hint("take it off a larger stratum, or leave --ceil out")
}
