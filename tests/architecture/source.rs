//! Reads a Rust file for the rules: the paths it names, the calls and macros it makes, its
//! functions, each with its line and whether it belongs to a unit test.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

/// Something that a file names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// A path from its first segment on (`crate`, `error`, `Error`), a method (`.`, `unwrap`) or a
    /// macro (`println`, `!`).
    pub(crate) path: Vec<String>,
    /// Its line, from 1.
    pub(crate) line: usize,
}

/// A function with its length in lines, documentation not counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) lines: usize,
}

/// A name that a module hands on from another one (`pub use`, or a `use` that its children see).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reexport {
    pub(crate) name: String,
    /// From the crate's root, which is not named.
    pub(crate) path: Vec<String>,
}

/// What a file holds outside its unit tests, and all its functions.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// The file, from the repository's root: `src/gpu/adapter.rs`.
    pub(crate) file: String,
    /// Paths, methods and macros outside `#[cfg(test)]`; `super` and `self` are resolved.
    pub(crate) named: Vec<Named>,
    pub(crate) functions: Vec<Function>,
    /// Lines of `#[ignore]` attributes.
    pub(crate) ignored: Vec<usize>,
    pub(crate) reexports: Vec<Reexport>,
    module: Vec<String>,
}

impl Source {
    /// Reads `text`, the contents of `file`.
    pub(crate) fn read(file: &str, text: &str) -> Self {
        let parsed = syn::parse_file(text).unwrap_or_else(|error| panic!("{file}: {error}"));
        let mut source = Self {
            file: file.to_owned(),
            module: module(file),
            ..Self::default()
        };
        source.visit_file(&parsed);
        source
    }

    /// The room that the file belongs to: the first module under `src`, or `main`, or `lib`.
    pub(crate) fn room(&self) -> &str {
        let rest = self.file.strip_prefix("src/").unwrap_or(&self.file);
        rest.split(['/', '.']).next().unwrap_or(rest)
    }

    /// The module that the file is, from the crate's root on.
    pub(crate) fn module(&self) -> &[String] {
        &self.module
    }

    /// The modules of this crate that the file names, from the crate's root on.
    pub(crate) fn own_modules(&self) -> impl Iterator<Item = (&[String], usize)> {
        let own = |named: &&Named| matches!(named.path[0].as_str(), "crate" | "wavetrain");
        self.named
            .iter()
            .filter(own)
            .map(|named| (&named.path[1..], named.line))
    }

    fn add(&mut self, path: Vec<String>, line: usize) {
        if let Some(path) = resolve(&self.module, path) {
            self.named.push(Named { path, line });
        }
    }

    fn add_tree(&mut self, tree: &syn::UseTree, mut prefix: Vec<String>) {
        match tree {
            syn::UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.add_tree(&path.tree, prefix);
            }
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.add_tree(tree, prefix.clone());
                }
            }
            syn::UseTree::Name(name) => self.add_leaf(prefix, &name.ident),
            syn::UseTree::Rename(name) => self.add_leaf(prefix, &name.ident),
            syn::UseTree::Glob(glob) => {
                let line = glob.star_token.spans[0].start().line;
                self.add(prefix, line);
            }
        }
    }

    /// Notes the names of a `use` tree, with the paths that they stand for.
    fn hand_on(&mut self, tree: &syn::UseTree, mut prefix: Vec<String>) {
        let (ident, name) = match tree {
            syn::UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                return self.hand_on(&path.tree, prefix);
            }
            syn::UseTree::Group(group) => {
                let trees = group.items.iter();
                return trees.for_each(|tree| self.hand_on(tree, prefix.clone()));
            }
            syn::UseTree::Glob(_) => return,
            syn::UseTree::Name(name) => (&name.ident, &name.ident),
            syn::UseTree::Rename(rename) => (&rename.ident, &rename.rename),
        };
        if ident != "self" {
            prefix.push(ident.to_string());
        }
        let Some(path) = resolve(&self.module, prefix) else {
            return;
        };
        let path = match path[0].as_str() {
            "crate" => path[1..].to_vec(),
            // A child of this module.
            _ => [self.module.clone(), path].concat(),
        };
        let name = name.to_string();
        self.reexports.push(Reexport { name, path });
    }

    fn add_leaf(&mut self, mut path: Vec<String>, ident: &proc_macro2::Ident) {
        path.push(ident.to_string());
        self.add(path, ident.span().start().line);
    }

    /// Paths, methods and macros among tokens that the parser leaves alone: a macro's arguments.
    fn scan(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let is = |at: usize, char: char| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == char);
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.scan(group.stream()),
                TokenTree::Ident(ident) => {
                    let line = ident.span().start().line;
                    let mut path = vec![ident.to_string()];
                    let is_method = at > 0 && is(at - 1, '.');
                    while is(at + 1, ':') && is(at + 2, ':') {
                        let Some(TokenTree::Ident(next)) = tokens.get(at + 3) else {
                            break;
                        };
                        path.push(next.to_string());
                        at += 3;
                    }
                    if is(at + 1, '!') && !is(at + 2, '=') {
                        path.push("!".into());
                    }
                    if is_method {
                        path.insert(0, ".".into());
                    }
                    self.add(path, line);
                }
                _ => {}
            }
            at += 1;
        }
    }

    fn note_ignored(&mut self, attribute: &syn::Attribute) {
        if attribute.path().is_ident("ignore") {
            let line = attribute.pound_token.spans[0].start().line;
            self.ignored.push(line);
        }
    }

    fn add_function(&mut self, signature: &syn::Signature, end: proc_macro2::Span) {
        let line = signature.fn_token.span.start().line;
        self.functions.push(Function {
            name: signature.ident.to_string(),
            line,
            lines: end.end().line + 1 - line,
        });
    }
}

/// The module that a file is: `src/gpu/adapter.rs` is `[gpu, adapter]`.
fn module(file: &str) -> Vec<String> {
    let path = file.strip_prefix("src/").unwrap_or(file);
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    path.split('/')
        .filter(|name| !matches!(*name, "lib" | "main"))
        .map(str::to_owned)
        .collect()
}

/// A path with `super` and `self` replaced by what they mean in `module`. None for what means the
/// type or the value at hand.
fn resolve(module: &[String], path: Vec<String>) -> Option<Vec<String>> {
    let supers = path.iter().take_while(|name| *name == "super").count();
    let is_self = path[0] == "self" && path.len() > 1;
    if supers == 0 && !is_self {
        return (path[0] != "self").then_some(path);
    }
    let kept = module.len().checked_sub(supers)?;
    let skipped = supers.max(usize::from(is_self));
    let mut resolved = vec!["crate".to_owned()];
    resolved.extend_from_slice(&module[..kept]);
    resolved.extend_from_slice(&path[skipped..]);
    Some(resolved)
}

/// Whether the attributes say that an item exists in tests only.
fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let is_cfg_test = attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Path>()
                .is_ok_and(|path| path.is_ident("test"));
        is_cfg_test || attribute.path().is_ident("test")
    })
}

/// Walks the functions of a unit test, for their lengths alone.
struct Functions<'a>(&'a mut Source);

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.0
            .add_function(&item.sig, item.block.brace_token.span.close());
        visit::visit_item_fn(self, item);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        self.0.note_ignored(attribute);
    }
}

impl<'ast> Visit<'ast> for Source {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if is_test(&item.attrs) {
            return Functions(self).visit_item_mod(item);
        }
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !is_test(&item.attrs) {
            self.add_tree(&item.tree, Vec::new());
            self.hand_on(&item.tree, Vec::new());
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if is_test(&item.attrs) {
            return Functions(self).visit_item_fn(item);
        }
        self.add_function(&item.sig, item.block.brace_token.span.close());
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if is_test(&item.attrs) {
            return;
        }
        self.add_function(&item.sig, item.block.brace_token.span.close());
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(body) = &item.default {
            self.add_function(&item.sig, body.brace_token.span.close());
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        let line = path.segments[0].ident.span().start().line;
        self.add(names, line);
        visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let line = call.method.span().start().line;
        self.add(vec![".".into(), call.method.to_string()], line);
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let mut names: Vec<String> = Vec::new();
        names.extend(call.path.segments.iter().map(|s| s.ident.to_string()));
        names.push("!".into());
        let line = call.path.segments[0].ident.span().start().line;
        self.add(names, line);
        self.scan(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        self.note_ignored(attribute);
        if let syn::Meta::List(list) = &attribute.meta {
            self.scan(list.tokens.clone());
        }
    }
}
