//! Files for what does not fit into memory. They stand below the temporary directory of the system, for this user alone, in a directory that
//! is made when the first of them is needed and ends with the process; what a killed one left goes when the next one needs some.

use std::sync::{Arc, Mutex};

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::disk_manager::{DiskManager, DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::{SpillFile, TempFileFactory};

use crate::passing::Passing;
use crate::statement::lock;

/// How their directories begin.
const PREFIX: &str = "restable-spill-";

/// Where a runtime gets files from.
pub(crate) fn files() -> DiskManagerBuilder {
    DiskManagerBuilder::default().with_temp_file_factory(Arc::new(Files::default()))
}

#[derive(Default)]
struct Files(Mutex<Option<Place>>);

struct Place {
    /// Given up before its directory.
    disk: Arc<DiskManager>,
    _directory: Passing,
}

impl Place {
    fn new() -> Result<Place> {
        let root = std::env::temp_dir();
        let directory = Passing::below(&root, PREFIX).map_err(|problem| {
            let told = format!("no file can be made in `{}`", root.display());
            DataFusionError::IoError(problem).context(told)
        })?;
        let below = DiskManagerMode::Directories(vec![directory.path().to_owned()]);
        let disk = DiskManagerBuilder::default().with_mode(below).build()?;
        Ok(Place {
            disk: Arc::new(disk),
            _directory: directory,
        })
    }
}

impl TempFileFactory for Files {
    fn create_temp_file(&self, description: &str) -> Result<Arc<dyn SpillFile>> {
        let disk = {
            let mut place = lock(&self.0);
            let place = match &mut *place {
                Some(place) => place,
                none => none.insert(Place::new()?),
            };
            Arc::clone(&place.disk)
        };
        disk.create_tmp_file(description)
    }
}
