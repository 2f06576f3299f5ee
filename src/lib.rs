//! codepiper

#[cfg(not(target_os = "linux"))]
compile_error!("codepiper runs on Linux only: it stands on PTYs, pidfds and namespaces");

pub mod base;
pub mod keeper;
pub mod http;
pub mod cli;
pub mod limits;
pub mod model;
pub mod output;
pub mod store;
pub mod policy;
pub mod provider;
pub mod sys;
