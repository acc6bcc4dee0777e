//! Values whose types are hidden from proofs. A plan and a syntax tree are made of hundreds of types that refer to each
//! other; that they may be shared between threads is proved anew in every method of a service that holds one, which takes a
//! compiler minutes. Behind this trait it is proved once.

/// A value behind a trait: `Box<dyn Hidden<T>>` may be shared between threads, and nobody has to look into `T` to know it.
pub trait Hidden<T>: Send + Sync {
    /// The value.
    fn shown(&self) -> &T;
}
