// SPDX-License-Identifier: MIT
#include "overlay-ways.h"

#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "userns-ways.h"

#define TEMPORARY ENGINE "/tmpmounts/mount-XXXXXX"

struct idm_path layers[MOST_LAYERS];
size_t n_layers;

void make_layers(void)
{
	for (size_t i = 0; i < MOST_LAYERS; i++) {
		char path[128];

		snprintf(path, sizeof(path), STORE "/%zu/fs", i);
		mkdir_all(path);
		layers[i] = (struct idm_path){ AT_FDCWD, strdup(path) };
	}
	mkdir_all(ENGINE "/tmpmounts");
	mkdir_all(UPPER);
	mkdir_all(WORK);
}

/* ---- a mapped copy, attached ---- */

int clone_mapped(const char *path, int userns)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns };
	int clone = (int)check(open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC), path);

	check(mount_setattr(clone, "", AT_EMPTY_PATH, &attr, sizeof(attr)), "mount_setattr");
	return clone;
}

static void attach_mapped(const char *path, int userns, const char *target)
{
	int clone = clone_mapped(path, userns);

	check(move_mount(clone, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH), "move_mount");
	close(clone);
}

static void attach_parent(char *directory, int userns)
{
	if (!mkdtemp(directory))
		die("mkdtemp");
	attach_mapped(STORE, userns, directory);
	close(userns);
}

static void detach(const char *directory)
{
	check(umount2(directory, MNT_DETACH), "umount");
	check(rmdir(directory), "rmdir");
}

/* Where layer i is below the temporary directory. */
static const char *below(size_t i)
{
	return layers[i].path + strlen(STORE);
}

/* ---- one string ---- */

bool layers_fit(void)
{
	size_t length = strlen("lowerdir=");

	for (size_t i = 0; i < n_layers; i++)
		length += strlen(TEMPORARY ":") + strlen(below(i));
	return length < 4096;
}

void overlay_by_one_string(int userns, const char *target)
{
	char directory[] = TEMPORARY, options[4096] = "lowerdir=";
	size_t length = strlen(options);

	attach_parent(directory, userns);
	for (size_t i = 0; i < n_layers; i++)
		length += (size_t)snprintf(options + length, sizeof(options) - length, "%s%s%s",
					   i ? ":" : "", directory, below(i));
	check(mount("overlay", target, "overlay", 0, options), "mount");
	detach(directory);
}

/* ---- a string for each layer ---- */

static void set_string(int fs, const char *key, const char *value)
{
	check(fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0), key);
}

void overlay_by_fsconfig(int userns, const char *target, bool upper)
{
	char directory[] = TEMPORARY, path[256];
	int fs, tree;

	attach_parent(directory, userns);
	fs = (int)check(fsopen("overlay", FSOPEN_CLOEXEC), "fsopen");
	for (size_t i = 0; i < n_layers; i++) {
		snprintf(path, sizeof(path), "%s%s", directory, below(i));
		set_string(fs, "lowerdir+", path);
	}
	if (upper) {
		set_string(fs, "upperdir", UPPER);
		set_string(fs, "workdir", WORK);
	}
	check(fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), "create");
	tree = (int)check(fsmount(fs, FSMOUNT_CLOEXEC, 0), "fsmount");
	check(move_mount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH), "attach");
	close(tree);
	close(fs);
	detach(directory);
}

/* ---- a mount for each layer ---- */

static void copy_path(char path[64], const char *directory, size_t i)
{
	snprintf(path, 64, "%s/%zu", directory, i);
}

void overlay_by_mapped_layers(int userns, const char *target)
{
	char directory[] = TEMPORARY, options[4096] = "lowerdir=", copy[64];
	size_t length = strlen(options);

	if (!mkdtemp(directory))
		die("mkdtemp");
	for (size_t i = 0; i < n_layers; i++) {
		copy_path(copy, directory, i);
		check(mkdir(copy, 0700), copy);
		attach_mapped(layers[i].path, userns, copy);
		length += (size_t)snprintf(options + length, sizeof(options) - length, "%s%s",
					   i ? ":" : "", copy);
	}
	close(userns);
	check(mount("overlay", target, "overlay", 0, options), "mount");
	for (size_t i = 0; i < n_layers; i++) {
		copy_path(copy, directory, i);
		detach(copy);
	}
	check(rmdir(directory), directory);
}

/* ---- bare calls ---- */

bool overlay_has_bare_calls(void)
{
	return is_kernel_since(6, 16) && userns_has_bare();
}

static int create_by_names(void)
{
	int fs = (int)check(fsopen("overlay", FSOPEN_CLOEXEC), "fsopen"), tree;
	char name[32];

	for (size_t i = 0; i < n_layers; i++) {
		snprintf(name, sizeof(name), "%zu/fs", i);
		set_string(fs, "lowerdir+", name);
	}
	check(fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), "create");
	tree = (int)check(fsmount(fs, FSMOUNT_CLOEXEC, 0), "fsmount");
	close(fs);
	return tree;
}

void overlay_by_bare_calls(const char *target)
{
	int userns = userns_bare(), copy = clone_mapped(STORE, userns), tree;

	check(fchdir(copy), "fchdir");
	tree = create_by_names();
	check(move_mount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH), target);
	close(tree);
	close(copy);
	close(userns);
}

int overlay_by_bare_calls_in(int staging, int copy)
{
	char options[4096] = "lowerdir=";
	size_t length = strlen(options);

	check(setns(staging, CLONE_NEWNS), "setns");
	check(unshare(CLONE_NEWNS), "unshare");
	check(move_mount(copy, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH), "attach");
	check(fchdir(copy), "fchdir");
	for (size_t i = 0; i < n_layers; i++)
		length += (size_t)snprintf(options + length, sizeof(options) - length, "%s%zu/fs",
					   i ? ":" : "", i);
	check(mount("overlay", "0", "overlay", 0, options), "mount");
	return (int)check(open_tree(AT_FDCWD, "0", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC), "open_tree");
}
