//! Two servers, turn and turn about: what one request costs each, and how they compare.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;

use crate::client::{Source, drive};
use crate::server::Server;

/// One side of a comparison.
pub(crate) struct Side<'a> {
    server: &'a Server,
    /// Where requests go; a server may have more than one port.
    address: SocketAddr,
    sources: Vec<Box<dyn Source>>,
}

/// Medians over the pairs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Comparison {
    pub(crate) ours_us: f64,
    pub(crate) reference_us: f64,
    /// Median of the pairs' ratios, not the ratio of the medians: neighbours disturb both halves of
    /// a pair alike.
    pub(crate) ratio: f64,
}

/// How much to send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) pairs: u32,
    /// Requests per connection and half pair.
    pub(crate) each: u32,
}

pub(crate) async fn compare(
    mut ours: Side<'_>,
    mut reference: Side<'_>,
    effort: Effort,
) -> anyhow::Result<Comparison> {
    // The first round warms caches, connections and the clock of the core; it does not count.
    ours.cost_us(effort.each).await?;
    reference.cost_us(effort.each).await?;
    let mut pairs = Vec::new();
    for _ in 0..effort.pairs {
        let pair = (ours.cost_us(effort.each).await?, reference.cost_us(effort.each).await?);
        pairs.push(pair);
    }
    let over = |value: fn(&(f64, f64)) -> f64| median(pairs.iter().map(value).collect());
    Ok(Comparison {
        ours_us: over(|pair| pair.0)?,
        reference_us: over(|pair| pair.1)?,
        ratio: over(|pair| pair.0 / pair.1)?,
    })
}

impl<'a> Side<'a> {
    pub(crate) const fn new(server: &'a Server, sources: Vec<Box<dyn Source>>) -> Self {
        Self { server, address: server.address, sources }
    }

    /// The same at another port.
    pub(crate) fn at(mut self, port: u16) -> Self {
        self.address.set_port(port);
        self
    }

    /// Sends without counting.
    pub(crate) async fn warm(&mut self, each: u32) -> anyhow::Result<()> {
        self.cost_us(each).await.map(drop)
    }

    /// CPU microseconds of the server per request, over one half pair.
    async fn cost_us(&mut self, each: u32) -> anyhow::Result<f64> {
        let sources = std::mem::take(&mut self.sources);
        let connections = u32::try_from(sources.len())?;
        let before = self.server.cpu()?;
        self.sources = drive(self.address, sources, each).await?;
        // What was answered may still be tidied up.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let spent = self.server.cpu()?.saturating_sub(before);
        Ok(spent.as_secs_f64() * 1e6 / f64::from(connections * each))
    }
}

/// The middle value; of an even number the upper one.
pub(crate) fn median(mut values: Vec<f64>) -> anyhow::Result<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().context("nothing was measured")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(vec![3.0, 1.0, 2.0]).unwrap() - 2.0).abs() < f64::EPSILON);
        assert!((median(vec![4.0, 1.0, 2.0, 3.0]).unwrap() - 3.0).abs() < f64::EPSILON);
        assert!(median(Vec::new()).is_err());
    }
}
