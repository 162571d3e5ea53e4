//! Drawings: a chart as data, its lines as SVG or in a terminal, and figures in words.
//!
//! [`chart`] is the data of a drawing; [`plot`] and [`svg`] draw it; [`forest`] draws
//! differences with their intervals; [`smooth`] is the running mean
//! that curves are shown with, [`words`] how people write figures.

pub mod chart;
pub mod forest;
pub mod plot;
pub mod smooth;
pub mod svg;
pub mod words;
