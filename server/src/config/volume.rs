//! What kind of file system a folder is on.

use std::path::{Path, PathBuf};

/// The type of the file system that `folder` is, or will be made, on: `ext4`, `overlay`, `tmpfs`. Not known where
/// there is no `/proc`.
pub(super) fn filesystem_of(folder: &Path) -> Option<String> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    type_in(&mounts, &existing_part(folder)?).map(str::to_owned)
}

/// The folder, or the nearest above it that exists, without links.
fn existing_part(folder: &Path) -> Option<PathBuf> {
    std::path::absolute(folder).ok()?.ancestors().find_map(|part| part.canonicalize().ok())
}

/// The type of the deepest mount that holds `path`; of several at one place, the last hides the others
/// (proc_pid_mountinfo(5)).
fn type_in<'m>(mountinfo: &'m str, path: &Path) -> Option<&'m str> {
    let mounts = mountinfo.lines().filter_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let point = before.split(' ').nth(4)?.replace("\\040", " ");
        path.starts_with(&point).then_some((point.len(), after.split(' ').next()?))
    });
    mounts.max_by_key(|(depth, _)| *depth).map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 0:20 / / rw,relatime - overlay overlay rw,lowerdir=/l
23 22 0:21 / /tmp rw - tmpfs tmpfs rw
24 22 8:1 /data /data\\040here rw,relatime shared:1 - ext4 /dev/sda1 rw
25 22 8:1 / /tm rw - xfs /dev/sdb1 rw
";

    #[test]
    fn the_deepest_mount_counts() {
        let kind = |path| type_in(MOUNTS, Path::new(path)).unwrap();
        assert_eq!(kind("/work"), "overlay");
        assert_eq!(kind("/tmp/x"), "tmpfs");
        assert_eq!(kind("/data here/store"), "ext4");
        assert_eq!(kind("/tm/x"), "xfs");
    }

    #[test]
    fn a_folder_that_is_to_be_made_is_judged_by_the_one_above() {
        assert_eq!(existing_part(Path::new("/proc/not-there/yet")), Some(PathBuf::from("/proc")));
    }
}
