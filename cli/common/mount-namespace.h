/* SPDX-License-Identifier: MIT */
/*
 * The mount namespace of "mount -N". Its files can belong to a container. So no program is run and no
 * name is looked up in it: both would load code from there.
 */
#ifndef IDM_CLI_COMMON_MOUNT_NAMESPACE_H
#define IDM_CLI_COMMON_MOUNT_NAMESPACE_H

/* Begins as MOUNT_NAMESPACE_NONE. All are descriptors; the last three are the caller's. */
struct mount_namespace {
	int other, own, root, directory;
};
#define MOUNT_NAMESPACE_NONE   \
	{                      \
		-1, -1, -1, -1 \
	}

/* Opens the namespace of a process number, or of a file. Returns DONE, or FAILED after a report. */
int open_mount_namespace(struct mount_namespace *ns, const char *name);
void close_mount_namespace(struct mount_namespace *ns);

/* Moves this process there. Returns DONE, or FAILED after a report. */
int enter_mount_namespace(const struct mount_namespace *ns, const char *name);

/* Moves it back, to the root and the working directory that it had. Returns as above. */
int leave_mount_namespace(const struct mount_namespace *ns);

#endif
