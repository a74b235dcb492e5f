use keywright_sim::*;
fn main() {
    let t = Template::new();
    let from: u64 = std::env::args().nth(1).map_or(0, |s| s.parse().unwrap());
    let n: u64 = std::env::args().nth(2).map_or(100, |s| s.parse().unwrap());
    let s = std::time::Instant::now();
    let (mut calls, mut issued, mut verbs, mut faults, mut bad) = (0, 0, 0, 0, 0);
    for seed in from..from + n {
        match Schedule::of_seed(seed).run(&t) {
            Ok(o) => {
                calls += o.calls;
                issued += o.issued;
                verbs += o.verbs;
                faults += o.faults;
            }
            Err(f) => {
                bad += 1;
                if bad <= 3 {
                    println!("SEED {seed}: {f}");
                } else {
                    println!("SEED {seed}: {}", f.violation);
                }
                if bad > 12 {
                    break;
                }
            }
        }
    }
    println!(
        "{n} schedules {:?} calls {calls} issued {issued} verbs {verbs} faults {faults} bad {bad}",
        s.elapsed()
    );
}
