// SPDX-License-Identifier: MIT
/* The settings that keep a process from the links and files of others in a sticky directory. */
#include <sys/stat.h>

#include "facts.h"
#include "lib/sys/capability.h"

/* The strictest value of all three. A refusal by it is not certain. */
#define STRICTEST 2

/* Many kernels let root alone read them. */
static uint32_t read_protection(struct idm_process_facts *process, const char *path)
{
	long value = idm_read_number(path);

	process->protection_unseen |= value < 0;
	return value < 0 ? STRICTEST : (uint32_t)value;
}

void idm_collect_protection(struct idm_process_facts *process)
{
	process->protected_symlinks = read_protection(process, "/proc/sys/fs/protected_symlinks");
	process->protected_regular = read_protection(process, "/proc/sys/fs/protected_regular");
	process->protected_fifos = read_protection(process, "/proc/sys/fs/protected_fifos");
}

bool idm_is_protected_directory(const struct idm_explain_inode *directory)
{
	return directory->mode & S_ISVTX && directory->mode & (S_IWGRP | S_IWOTH);
}
