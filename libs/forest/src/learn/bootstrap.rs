//! The rows that a tree learns from: drawn with replacement (a bootstrap sample, Efron 1979; stratified by place in the
//! table) and copied together, so that the rows of every node are one piece of memory, which is read forward and parted in
//! place.

use rand::Rng;
use rayon::prelude::*;

use crate::learn::bins::Table;
use crate::learn::random::random_for_task;

/// Rows that one thread takes at a time. Another number gives other samples and other trees.
pub(crate) const ROWS_PER_TASK: usize = 16_384;

/// A sample of a table.
#[derive(Debug)]
pub(crate) struct Bootstrap {
    /// Row by row, of each its bins, its label and how often it was drawn.
    bytes: Vec<u8>,
    width: usize,
}

impl Bootstrap {
    /// Draws so many rows, of those of each task as many as is their share, which is rounded at random. A row that is drawn
    /// more than once is there once.
    pub(crate) fn draw(table: &Table, count: usize, random: &mut impl Rng) -> Self {
        let (width, rows) = (table.width() + 1, table.rows());
        let (seed, rounding): (u64, _) = (random.random(), random.random_range(0..rows.max(1)));
        let mut times = vec![0u8; rows];
        let draw = |(task, times): (usize, &mut [u8])| {
            let mut random = random_for_task(seed, task);
            let before = task * ROWS_PER_TASK;
            let share = ((before + times.len()) * count + rounding) / rows - (before * count + rounding) / rows;
            for _ in 0..share {
                let row = random.random_range(0..times.len());
                times[row] = times[row].saturating_add(1);
            }
            width * times.iter().filter(|times| **times > 0).count()
        };
        let lengths: Vec<usize> = times.par_chunks_mut(ROWS_PER_TASK).enumerate().map(draw).collect();
        let mut bytes = vec![0; lengths.iter().sum()];
        let mut of_tasks = Vec::with_capacity(lengths.len());
        lengths.iter().fold(bytes.as_mut_slice(), |rest, length| {
            let (of_task, rest) = rest.split_at_mut(*length);
            of_tasks.push(of_task);
            rest
        });
        let copy = |((sampled, times), rows): ((&mut [u8], &[u8]), &[u8])| {
            let drawn = rows.chunks_exact(table.width()).zip(times).filter(|(_, times)| **times > 0);
            for (sampled, (row, times)) in sampled.chunks_exact_mut(width).zip(drawn) {
                sampled[..width - 1].copy_from_slice(row);
                sampled[width - 1] = *times;
            }
        };
        of_tasks.into_par_iter().zip(times.par_chunks(ROWS_PER_TASK)).zip(table.tasks(ROWS_PER_TASK)).for_each(copy);
        Self { bytes, width }
    }

    /// Bytes of a sample of so many rows, none of them drawn twice.
    pub(crate) fn max_bytes(table: &Table, count: usize) -> usize {
        (table.width() + 1) * count.min(table.rows())
    }

    pub(crate) fn rows(&mut self) -> Rows<'_> {
        Rows { bytes: &mut self.bytes, width: self.width }
    }
}

/// Some rows of a sample, in any order.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    bytes: &'a mut [u8],
    width: usize,
}

impl Rows<'_> {
    /// How many different ones there are.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() / self.width
    }

    /// All of them, so many in each as one thread takes at a time.
    pub(crate) fn tasks(&self) -> impl IndexedParallelIterator<Item = impl Iterator<Item = Drawn<'_>>> {
        self.bytes.par_chunks(self.width * ROWS_PER_TASK).map(|bytes| drawn(bytes, self.width))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Drawn<'_>> {
        drawn(self.bytes, self.width)
    }

    /// The rows up to this bin of a column, and the others.
    pub(crate) fn part(self, column: usize, bin: usize) -> [Self; 2] {
        let Self { bytes, width } = self;
        let first = first_in_front(bytes, width, &|row| usize::from(row[column]) <= bin);
        let (first, second) = bytes.split_at_mut(first * width);
        [first, second].map(|bytes| Rows { bytes, width })
    }
}

/// A row and how often it was drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drawn<'a> {
    pub(crate) bins: &'a [u8],
    pub(crate) label: u8,
    pub(crate) times: u8,
}

fn drawn(bytes: &[u8], width: usize) -> impl Iterator<Item = Drawn<'_>> {
    bytes.chunks_exact(width).map(move |row| {
        let (bins, end) = row.split_at(width - 2);
        Drawn { bins, label: end[0], times: end[1] }
    })
}

/// Puts the rows for which this holds in front, and says how many there are.
fn first_in_front(bytes: &mut [u8], width: usize, is_first: &(impl Fn(&[u8]) -> bool + Sync)) -> usize {
    let rows = bytes.len() / width;
    if rows > ROWS_PER_TASK {
        let half = rows / 2;
        let (left, right) = bytes.split_at_mut(half * width);
        let (first, more) =
            rayon::join(|| first_in_front(left, width, is_first), || first_in_front(right, width, is_first));
        let swapped = more.min(half - first);
        left[first * width..][..swapped * width].swap_with_slice(&mut right[(more - swapped) * width..more * width]);
        return first + more;
    }
    let (mut first, mut end) = (0, rows);
    loop {
        while first < end && is_first(&bytes[first * width..][..width]) {
            first += 1;
        }
        while first < end && !is_first(&bytes[(end - 1) * width..][..width]) {
            end -= 1;
        }
        if first == end {
            return first;
        }
        end -= 1;
        let (left, right) = bytes.split_at_mut(end * width);
        left[first * width..][..width].swap_with_slice(&mut right[..width]);
        first += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Matrix;
    use crate::learn::bins::Bins;
    use crate::learn::random::random_for;

    /// Rows of two columns, numbered by their bins; every third has label 1.
    fn table(rows: usize) -> Table {
        let mut matrix = Matrix::new(2);
        (0..rows).for_each(|row| matrix.push_row(&[row / 200, row % 200].map(|value| value as f32)));
        let mut table = Table::with_capacity(Bins::new(&matrix, 256), rows);
        table.push(&matrix, |row| row.is_multiple_of(3));
        table
    }

    fn number(row: Drawn<'_>) -> usize {
        usize::from(row.bins[0]) * 200 + usize::from(row.bins[1])
    }

    #[test]
    fn rows_are_drawn_with_replacement_from_all_of_the_table() {
        let (table, count) = (table(50_000), 40_000);
        let mut sample = Bootstrap::draw(&table, count, &mut random_for(1, "test", 0));
        let rows = sample.rows();
        assert_eq!(rows.iter().map(|row| usize::from(row.times)).sum::<usize>(), count);
        assert!(rows.iter().all(|row| row.times > 0 && (row.label == 1) == number(row).is_multiple_of(3)));
        assert!(rows.iter().zip(rows.iter().skip(1)).all(|(one, next)| number(one) < number(next)));
        // 1 - e^(-4/5) of the rows.
        for part in [0..25_000, 25_000..50_000] {
            let different = rows.iter().filter(|row| part.contains(&number(*row))).count();
            assert!((13_550..13_983).contains(&different), "{different}");
        }
    }

    #[test]
    fn few_rows_come_from_everywhere_too() {
        // The last 848 of 50,000 rows are a task of their own.
        let (table, mut random) = (table(50_000), random_for(1, "test", 0));
        let mut last = 0;
        for _ in 0..2_000 {
            let mut sample = Bootstrap::draw(&table, 2, &mut random);
            let drawn: Vec<_> = sample.rows().iter().map(|row| (number(row), usize::from(row.times))).collect();
            assert_eq!(drawn.iter().map(|(_, times)| times).sum::<usize>(), 2);
            last +=
                drawn.iter().filter(|(number, _)| *number >= 3 * ROWS_PER_TASK).map(|(_, times)| times).sum::<usize>();
        }
        // 67.8 are expected of 4,000.
        assert!((40..100).contains(&last), "{last}");
    }

    #[test]
    fn a_table_of_one_row_is_drawn_from() {
        let mut sample = Bootstrap::draw(&table(1), 1, &mut random_for(1, "test", 0));
        assert_eq!(sample.rows().iter().map(|row| (number(row), row.times)).collect::<Vec<_>>(), [(0, 1)]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn parts_hold_what_they_should_and_lose_no_row(rows in 1usize..50_000, column in 0usize..2, bin in 0usize..200) {
            let table = table(rows);
            let mut sample = Bootstrap::draw(&table, rows, &mut random_for(1, "test", 0));
            let all = |rows: &[Rows<'_>]| {
                let mut all: Vec<_> = rows.iter().flat_map(Rows::iter).map(|row| (number(row), row.times)).collect();
                all.sort_unstable();
                all
            };
            let before = all(&[sample.rows()]);
            let parts = sample.rows().part(column, bin);
            prop_assert!(parts[0].iter().all(|row| usize::from(row.bins[column]) <= bin));
            prop_assert!(parts[1].iter().all(|row| usize::from(row.bins[column]) > bin));
            prop_assert_eq!(all(&parts), before);
        }
    }
}
