use ndarray::{Array1, Array2, array};

use super::*;

fn column(values: &[f32]) -> (Column, Vec<u8>) {
    let values = Array1::from(values.to_vec());
    let column = Column::of(values.view());
    let mut bins = vec![0; values.len()];
    column.ladder().bins(values.as_slice().unwrap(), &mut bins);
    (column, bins)
}

#[test]
fn few_values_have_a_bin_each_with_zeros_of_both_signs_in_one() {
    let (column, bins) = column(&[3.0, -0.0, -7.5, 0.0, f32::NAN, 3.0]);
    assert_eq!(bins, [2, 1, 0, 1, 3, 2]);
    assert_eq!(column.n_values(), 3);
    assert_eq!([column.threshold(0), column.threshold(1)], [-3.75, 1.5]);
}

#[test]
fn many_values_are_cut_into_bins_of_about_equally_many_rows() {
    let values: Vec<f32> = (0..10_200).map(|i| ((i * 7_919) % 10_200) as f32).collect();
    let (column, bins) = column(&values);
    assert_eq!(column.n_values(), 255);
    let mut rows = [0; 255];
    bins.iter().for_each(|bin| rows[usize::from(*bin)] += 1);
    assert_eq!(rows, [40; 255]);
}

#[test]
fn a_frequent_value_is_alone_in_its_bin() {
    let values: Vec<f32> = (0..5_000)
        .map(|i| if i % 2 == 0 { 400.5 } else { i as f32 })
        .collect();
    let (_, bins) = column(&values);
    let frequent = bins[0];
    for (value, bin) in values.iter().zip(&bins) {
        assert_eq!(*bin == frequent, *value == 400.5, "{value}");
    }
}

#[test]
fn values_of_any_spread_fall_below_as_many_thresholds_as_their_bin_says() {
    let spreads: [fn(i32) -> f32; 4] = [
        |i| i as f32 / 7.0,
        |i| (i as f32 / 40.0).exp(),
        |i| (i as f32 - 1_500.0) * 1e35,
        |i| 1e-40 * i as f32,
    ];
    for spread in spreads {
        let values: Vec<f32> = (0..3_000).map(spread).collect();
        let (column, _) = column(&values);
        let thresholds: Vec<f32> = (0..column.n_values() as u8 - 1)
            .map(|bin| column.threshold(bin))
            .collect();
        let near = |cut: &f32| [cut.next_down(), *cut, cut.next_up()];
        let mut probes: Vec<f32> = thresholds.iter().flat_map(near).collect();
        probes.extend([f32::MIN, f32::MAX, 0.0, f32::NAN]);
        probes.extend(values);
        let mut bins = vec![0; probes.len()];
        column.ladder().bins(&probes, &mut bins);
        for (probe, bin) in probes.iter().zip(bins) {
            let below = thresholds.iter().filter(|cut| *cut < probe).count();
            let expected = if probe.is_nan() {
                column.n_values()
            } else {
                below
            };
            assert_eq!(usize::from(bin), expected, "{probe}");
        }
    }
}

#[test]
fn a_raw_value_takes_the_path_of_its_bin() {
    let values: Vec<f32> = (0..3_000)
        .map(|i| (i as f32 * 0.37).sin().powi(3))
        .collect();
    let (column, bins) = column(&values);
    for (value, bin) in values.iter().zip(&bins) {
        for cut in 0..254 {
            assert_eq!(
                *value <= column.threshold(cut),
                *bin <= cut,
                "{value} at {cut}"
            );
        }
    }
}

#[test]
fn equal_rows_are_kept_once_where_they_are_many() {
    let x = Array2::from_shape_fn((400, 2), |(row, feature)| {
        ((row / (feature + 1)) % 5) as f32
    });
    let matrix = BinnedMatrix::new(x.view()).unwrap();
    assert_eq!((matrix.n_rows(), matrix.n_distinct()), (400, 10));
    let of_row = matrix.distinct_of_row().unwrap();
    for (row, place) in of_row.iter().enumerate() {
        for feature in 0..2 {
            let bin = matrix.bins()[feature * 10 + *place as usize];
            assert_eq!(f32::from(bin), x[[row, feature]]);
        }
    }
    let x = array![
        [0.0],
        [1.0],
        [2.0],
        [3.0],
        [4.0],
        [5.0],
        [6.0],
        [7.0],
        [0.0]
    ];
    let matrix = BinnedMatrix::new(x.view()).unwrap();
    assert_eq!((matrix.n_distinct(), matrix.distinct_of_row()), (9, None));
}

#[test]
fn a_sample_cuts_long_columns_about_equally() {
    let values: Vec<f32> = (0..500_000u32)
        .map(|i| (i.wrapping_mul(0x9E37_79B1) >> 8) as f32 / 65_536.0 - 100.0)
        .collect();
    let (column, bins) = column(&values);
    assert_eq!(column.n_values(), 255);
    let mut rows = [0; 255];
    bins.iter().for_each(|bin| rows[usize::from(*bin)] += 1);
    let (least, most) = (rows.iter().min(), rows.iter().max());
    assert!(
        least > Some(&1_500) && most < Some(&2_500),
        "{least:?} to {most:?}"
    );
}
