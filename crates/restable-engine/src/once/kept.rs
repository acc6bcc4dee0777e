//! Where the pages of shared calls wait for whoever has not read them yet: in memory, up to a bound of their own and as far as the pool of
//! the statement has room, then in a temporary file. What nobody wants any more is gone at once; the file goes with its last page.

use std::fmt;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::sync::{Arc, Mutex, Weak};

use bytes::Bytes;
use datafusion::common::DataFusionError;
use datafusion::execution::disk_manager::DiskManager;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SpillFile, SpillWriter};

use crate::statement::lock;
use crate::{Error, Result};

/// So many bytes of pages wait in memory at most.
const MOST_BYTES: usize = 64 << 20;

/// The pages of one statement that wait.
pub(crate) struct Store {
    disk: Arc<DiskManager>,
    most: usize,
    held: Mutex<Held>,
}

struct Held {
    memory: MemoryReservation,
    /// The file that is written to, for as long as a page is in it.
    file: Weak<PageFile>,
}

impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "pages of at most {} bytes in memory", self.most)
    }
}

impl Store {
    pub(crate) fn new(runtime: &RuntimeEnv) -> Store {
        // The operators of the statement need the most of what there is.
        let most = match runtime.memory_pool.memory_limit() {
            MemoryLimit::Finite(limit) => MOST_BYTES.min(limit / 4),
            MemoryLimit::Infinite | MemoryLimit::Unknown => MOST_BYTES,
        };
        Store::within(runtime, most)
    }

    fn within(runtime: &RuntimeEnv, most: usize) -> Store {
        let consumer = MemoryConsumer::new("pages that several scans read");
        Store {
            disk: Arc::clone(&runtime.disk_manager),
            most,
            held: Mutex::new(Held {
                memory: consumer.register(&runtime.memory_pool),
                file: Weak::new(),
            }),
        }
    }

    /// Whether little waits, so that what is short may stay.
    pub(crate) fn is_roomy(&self) -> bool {
        lock(&self.held).memory.size() <= self.most / 16
    }

    /// Keeps a page for as long as what is returned lives.
    pub(crate) async fn keep(self: &Arc<Self>, body: Bytes) -> Result<Kept> {
        {
            let held = lock(&self.held);
            let fits = held.memory.size().saturating_add(body.len()) <= self.most;
            if fits && held.memory.try_grow(body.len()).is_ok() {
                let store = Arc::clone(self);
                return Ok(Kept::InMemory(Arc::new(Page { body, store })));
            }
        }
        let store = Arc::clone(self);
        let written = tokio::task::spawn_blocking(move || store.write(&body)).await;
        written.map_err(|_| Error::internal("the writing of a page broke off"))?
    }

    fn write(&self, body: &Bytes) -> Result<Kept> {
        let mut held = lock(&self.held);
        let file = match held.file.upgrade() {
            Some(file) => file,
            None => {
                let file = Arc::new(PageFile::new(&self.disk)?);
                held.file = Arc::downgrade(&file);
                file
            }
        };
        drop(held);
        let offset = file.append(body)?;
        let length = body.len();
        Ok(Kept::InFile {
            file,
            offset,
            length,
        })
    }
}

/// A page that waits.
#[derive(Clone)]
pub(crate) enum Kept {
    InMemory(Arc<Page>),
    InFile {
        file: Arc<PageFile>,
        offset: u64,
        length: usize,
    },
}

impl fmt::Debug for Kept {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kept::InMemory(page) => write!(formatter, "{} bytes", page.body.len()),
            Kept::InFile { length, .. } => write!(formatter, "{length} bytes in a file"),
        }
    }
}

impl Kept {
    /// How many bytes it has.
    pub(crate) fn length(&self) -> usize {
        match self {
            Kept::InMemory(page) => page.body.len(),
            Kept::InFile { length, .. } => *length,
        }
    }

    /// The body of the page.
    pub(crate) async fn body(self) -> Result<Bytes> {
        match self {
            Kept::InMemory(page) => Ok(page.body.clone()),
            Kept::InFile {
                file,
                offset,
                length,
            } => {
                let read = tokio::task::spawn_blocking(move || file.read(offset, length)).await;
                read.map_err(|_| Error::internal("the reading of a page broke off"))?
            }
        }
    }
}

/// A page in memory, which is accounted for.
pub(crate) struct Page {
    body: Bytes,
    store: Arc<Store>,
}

impl Drop for Page {
    fn drop(&mut self) {
        lock(&self.store.held).memory.shrink(self.body.len());
    }
}

/// Pages one after the other.
pub(crate) struct PageFile {
    /// With the length of the file; `None` once a page could not be written whole.
    writer: Mutex<Option<(Box<dyn SpillWriter>, u64)>>,
    reader: Mutex<File>,
    /// It lives as long as this does.
    _file: Arc<dyn SpillFile>,
}

impl PageFile {
    fn new(disk: &Arc<DiskManager>) -> Result<PageFile> {
        let file = disk.create_tmp_file("keeping pages that several scans read")?;
        let path = file
            .path()
            .ok_or_else(|| Error::internal("a temporary file has no path"))?;
        let reader = File::open(path).map_err(DataFusionError::IoError)?;
        Ok(PageFile {
            writer: Mutex::new(Some((file.open_writer()?, 0))),
            reader: Mutex::new(reader),
            _file: file,
        })
    }

    fn append(&self, body: &[u8]) -> Result<u64> {
        let mut writer = lock(&self.writer);
        let Some((mut file, offset)) = writer.take() else {
            return Err(Error::internal("a page could not be written before"));
        };
        file.write_all(body).map_err(DataFusionError::IoError)?;
        *writer = Some((file, offset + body.len() as u64));
        Ok(offset)
    }

    fn read(&self, offset: u64, length: usize) -> Result<Bytes> {
        let mut body = vec![0; length];
        let mut reader = lock(&self.reader);
        let read = reader
            .seek(SeekFrom::Start(offset))
            .and_then(|_| reader.read_exact(&mut body));
        read.map_err(DataFusionError::IoError)?;
        Ok(Bytes::from(body))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;

    use super::*;

    fn page(number: u8) -> Bytes {
        Bytes::from(vec![number; 1000])
    }

    #[tokio::test]
    async fn what_does_not_fit_waits_in_a_file_and_all_of_it_goes() {
        let pool = Arc::new(GreedyMemoryPool::new(1 << 20));
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool);
        let runtime = runtime.build().unwrap();
        let store = Arc::new(Store::within(&runtime, 3000));
        let mut kept = Vec::new();
        for number in 0..10 {
            kept.push(store.keep(page(number)).await.unwrap());
            assert!(runtime.memory_pool.reserved() <= 3000);
        }
        let in_file = |it: &Kept| matches!(it, Kept::InFile { .. });
        assert_eq!(kept.iter().filter(|it| in_file(it)).count(), 7);
        assert_eq!(runtime.disk_manager.used_disk_space(), 7000);
        // In any order, and as often as is wanted.
        for number in [9, 0, 4, 4, 8] {
            let body = kept[usize::from(number)].clone().body().await.unwrap();
            assert_eq!(body, page(number));
        }
        kept.drain(..3);
        assert_eq!(runtime.memory_pool.reserved(), 0);
        assert!(!in_file(&store.keep(page(1)).await.unwrap()));
        assert_eq!(runtime.disk_manager.used_disk_space(), 7000);
        kept.clear();
        assert_eq!(runtime.disk_manager.used_disk_space(), 0);
        assert_eq!(runtime.memory_pool.reserved(), 0);
    }

    #[tokio::test]
    async fn a_pool_without_room_is_no_failure() {
        let pool = Arc::new(GreedyMemoryPool::new(1500));
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool);
        let runtime = runtime.build().unwrap();
        let store = Arc::new(Store::within(&runtime, MOST_BYTES));
        let first = store.keep(page(1)).await.unwrap();
        let second = store.keep(page(2)).await.unwrap();
        assert!(matches!(second, Kept::InFile { .. }));
        assert_eq!(first.body().await.unwrap(), page(1));
        assert_eq!(second.body().await.unwrap(), page(2));
        // Nor is one whose bound is its own.
        let store = Store::new(&runtime);
        assert_eq!(store.most, 375);
    }
}
