//! `mixed` and `token-mixed`: several kinds of work in fixed shares.

use keywright_protocol::secret::Secret;

use super::{Ground, Kind, Lease, Next, Scenario, Shot, prepare_one};
use crate::bench::Stop;
use crate::bench::http::{Answer, Failure};

/// What a server with people, programs and APIs sees: of thirty requests.
const EVERYTHING: [(Kind, i32); 7] = [
    (Kind::Introspect, 9),
    (Kind::ClientCredentials, 6),
    (Kind::Refresh, 6),
    (Kind::Jwks, 3),
    (Kind::Code, 3),
    (Kind::Revoke, 2),
    (Kind::Discovery, 1),
];

pub(super) struct Mixed {
    parts: Vec<Box<dyn Scenario>>,
    /// Which part each turn is; the whole repeats.
    pattern: Vec<usize>,
}

impl Mixed {
    /// Everything that the given credentials allow; says what they do not.
    pub(super) async fn everything(
        ground: &Ground<'_>,
        refresh_tokens: &mut Vec<Secret<String>>,
        left_out: &mut Vec<String>,
    ) -> Result<Self, Stop> {
        let mut shares = Vec::new();
        let mut parts = Vec::new();
        for (kind, share) in EVERYTHING {
            match prepare_one(kind, ground, refresh_tokens).await {
                Ok(part) => {
                    shares.push(share);
                    parts.push(part);
                }
                Err(Stop::NotAllowed(why)) => left_out.push(format!("{}: {why:#}", kind.name())),
                Err(Stop::Usage(why)) => left_out.push(format!("{}: {why}", kind.name())),
                Err(other) => return Err(other),
            }
        }
        Ok(Self { parts, pattern: interleave(&shares) })
    }

    /// Six client credentials, three introspections, one refresh if there are families.
    pub(super) async fn tokens(
        ground: &Ground<'_>,
        refresh_tokens: &mut Vec<Secret<String>>,
    ) -> Result<Self, Stop> {
        let mut kinds = vec![(Kind::ClientCredentials, 7), (Kind::Introspect, 3)];
        if !refresh_tokens.is_empty() || ground.person.is_some() {
            kinds = vec![(Kind::ClientCredentials, 6), (Kind::Introspect, 3), (Kind::Refresh, 1)];
        }
        let mut parts = Vec::new();
        for (kind, _) in &kinds {
            parts.push(prepare_one(*kind, ground, refresh_tokens).await?);
        }
        let shares: Vec<i32> = kinds.into_iter().map(|(_, share)| share).collect();
        Ok(Self { parts, pattern: interleave(&shares) })
    }

    fn at(&self, turn: u64) -> Result<&dyn Scenario, Failure> {
        let length = u64::try_from(self.pattern.len()).unwrap_or(u64::MAX).max(1);
        let at = usize::try_from(turn % length).unwrap_or_default();
        let part = self.pattern.get(at).and_then(|part| self.parts.get(*part));
        part.map(AsRef::as_ref).ok_or(Failure::Exhausted)
    }
}

impl Scenario for Mixed {
    fn shot(&self, turn: u64) -> Result<Shot, Failure> {
        self.at(turn)?.shot(turn)
    }

    fn judge(&self, turn: u64, lease: Lease, answer: &Answer) -> Result<Next, Failure> {
        self.at(turn)?.judge(turn, lease, answer)
    }

    fn lost(&self, turn: u64, lease: Lease) {
        if let Ok(part) = self.at(turn) {
            part.lost(turn, lease);
        }
    }
}

/// Spreads the parts, so that no second has more of one than the next: at each place the part that
/// is furthest behind its share.
fn interleave(shares: &[i32]) -> Vec<usize> {
    let total: i32 = shares.iter().sum();
    let mut behind = vec![0; shares.len()];
    let mut pattern = Vec::new();
    for _ in 0..total {
        for (debt, share) in behind.iter_mut().zip(shares) {
            *debt += share;
        }
        let furthest = behind.iter_mut().enumerate().rev().max_by_key(|(_, debt)| **debt);
        if let Some((part, debt)) = furthest {
            *debt -= total;
            pattern.push(part);
        }
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_has_its_share_evenly_spread() {
        assert_eq!(interleave(&[2, 1]), [0, 1, 0]);
        assert_eq!(interleave(&[]), Vec::<usize>::new());
        let shares = EVERYTHING.map(|(_, share)| share);
        let pattern = interleave(&shares);
        for (part, share) in shares.into_iter().enumerate() {
            let places: Vec<_> =
                (0..pattern.len()).filter(|place| pattern[*place] == part).collect();
            assert_eq!(places.len(), usize::try_from(share).unwrap());
            let widest = places.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
            let fair = pattern.len().div_ceil(places.len());
            assert!(widest <= fair + 3, "{part}: {widest} turns without it, {fair} is fair");
        }
    }
}
