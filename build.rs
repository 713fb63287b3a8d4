//! Themes and keymaps are embedded: a file that is added or changed there means building anew.

fn main() {
    println!("cargo:rerun-if-changed=themes");
    println!("cargo:rerun-if-changed=keymaps");
}
