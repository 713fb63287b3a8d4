pub mod client;
pub mod kubeconfig;
pub mod trouble;
