// SPDX-License-Identifier: MIT
/* /etc/subuid and /etc/subgid, through libsubid, which is loaded at the first use here. */
#include <errno.h>

#include "config.h"
#include "idmap.h"
#include "lib/base/cancel.h"
#include "lib/base/dlopen-note.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/syscall.h"
#include "subid-diag.h"

static const enum idm_error_step step_subid = IDM_STEP_LOOK_UP_SUBIDS;

#if HAVE_LIBSUBID

#include <dlfcn.h>
#include <pthread.h>
#include <shadow/subid.h>
#include <stdio.h>

#define LOAD_SUBID() dlopen("libsubid.so." SUBID_SONAME_MAJOR, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)
#define SUBID_SYMBOL(library, name) ((__typeof__(&name))dlsym(library, #name))
#define STRING_(x) #x
#define STRING(x) STRING_(x)
#define SUBID_SONAME_MAJOR STRING(SUBID_ABI_MAJOR)

DLOPEN_NOTE(subid_note,
	    "[{\"feature\":\"subid\",\"description\":\"Maps from ranges of subordinate IDs\","
	    "\"priority\":\"recommended\",\"soname\":[\"libsubid.so." SUBID_SONAME_MAJOR "\"]}]");

struct subid {
	__typeof__(&subid_init) init;
	__typeof__(&subid_get_uid_ranges) uid_ranges;
	__typeof__(&subid_get_gid_ranges) gid_ranges;
};

static int load_libsubid(struct subid *s, struct idm_error *err)
{
	void *library = LOAD_SUBID();

	if (library) {
		s->init = SUBID_SYMBOL(library, subid_init);
		s->uid_ranges = SUBID_SYMBOL(library, subid_get_uid_ranges);
		s->gid_ranges = SUBID_SYMBOL(library, subid_get_gid_ranges);
	}
	if (library && s->init && s->uid_ranges && s->gid_ranges)
		return 0;
	idm_fail(err, -EOPNOTSUPP, step_subid, NULL, "libsubid cannot be loaded");
	idm_hint(err, "install libsubid%s, or write the map in numbers", SUBID_SONAME_MAJOR);
	return -EOPNOTSUPP;
}

/* libsubid reads whatever is there to its end, which a device need not have. */
static int check_subid_file(const char *file, const char *owner, struct idm_error *err)
{
	struct stat st;

	if (idm_sys_fstatat(AT_FDCWD, file, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISREG(st.st_mode) ||
	    S_ISLNK(st.st_mode)) /* which it does not follow */
		return 0;
	return idm_fail(err, -EINVAL, step_subid, owner, "%s is not a regular file", file);
}

/*
 * Whether libsubid has asked something else than the files: what nsswitch.conf names, as long as that
 * can be loaded. It has been then, and stays.
 */
static bool find_other_source(char *source, size_t size)
{
	FILE *file = fopen("/etc/nsswitch.conf", "re");
	char line[256], word[32], module[64];
	bool found = false;
	void *handle;

	while (file && !found && fgets(line, sizeof(line), file))
		found = sscanf(line, " subid : %31s", word) == 1;
	if (file)
		fclose(file);
	if (!found || strcmp(word, "files") == 0)
		return false;
	snprintf(module, sizeof(module), "libsubid_%s.so", word);
	handle = dlopen(module, RTLD_LAZY | RTLD_NOLOAD);
	if (!handle)
		return false;
	dlclose(handle);
	snprintf(source, size, "%s", word);
	return true;
}

static int diagnose_no_range(unsigned int kind, const char *owner, struct idm_error *err)
{
	char source[32];

	if (!err || !find_other_source(source, sizeof(source)))
		return idm_diagnose_subid(kind, owner, err);
	idm_fail(err, -ENOENT, step_subid, owner,
		 "\"%s\", which /etc/nsswitch.conf names for subid, has no range of %s", source,
		 kind == IDM_UID ? "uids" : "gids");
	idm_hint(err, "write the map in numbers");
	return -ENOENT;
}

/* Disk IDs from 0 on, one range after the other. */
static int add_subid_ranges(struct idm_map *map, unsigned int kind, const char *owner,
			    int (*ask)(const char *, struct subid_range **), struct idm_error *err)
{
	AUTO_FREE struct subid_range *ranges = NULL;
	const char *file = kind == IDM_UID ? "/etc/subuid" : "/etc/subgid";
	unsigned long disk = 0;
	int r = check_subid_file(file, owner, err), n = r < 0 ? 0 : ask(owner, &ranges);

	if (r < 0)
		return r;
	if (n <= 0)
		return diagnose_no_range(kind, owner, err);
	for (int i = 0; i < n && r == 0; i++) {
		unsigned long start = ranges[i].start, count = ranges[i].count;
		struct idm_entry e = { (uint32_t)disk, (uint32_t)start, (uint32_t)count };

		if (start >= IDM_ID_END || count > IDM_ID_END - start || count > IDM_ID_END - disk)
			return idm_fail(err, -EINVAL, step_subid, owner,
					"the range %lu:%lu in %s exceeds 4294967294, the last ID", start,
					count, file);
		r = idm_map_add(map, kind, &e, 1, err);
		disk += count;
	}
	return r;
}

int idm_map_add_subid(struct idm_map *map, const char *owner, struct idm_error *err)
{
	HOLD_CANCEL;
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* libsubid has global state */
	struct idm_map *new;
	struct subid s = { 0 };
	FILE *quiet;
	int r;

	if (!*owner) {
		idm_fail(err, -ENOENT, step_subid, NULL, "the user's name is empty");
		idm_hint(err, "name a user, or write the map in numbers");
		return -ENOENT;
	}
	r = load_libsubid(&s, err);
	if (r < 0)
		return r;
	if (idm_map_copy(map, &new) < 0)
		return idm_fail_errno(err, -ENOMEM, step_subid, NULL);
	quiet = fopen("/dev/null", "we");
	if (!quiet) {
		r = idm_fail_errno(err, -errno, step_subid, "/dev/null");
	} else {
		pthread_mutex_lock(&lock);
		/* It would print to the caller's stderr otherwise. It would copy a name, and never free
		 * it. */
		s.init(NULL, quiet);
		r = add_subid_ranges(new, IDM_UID, owner, s.uid_ranges, err);
		if (r == 0)
			r = add_subid_ranges(new, IDM_GID, owner, s.gid_ranges, err);
		s.init(NULL, stderr); /* others in this process may expect that */
		pthread_mutex_unlock(&lock);
		fclose(quiet);
	}
	if (r == 0)
		idm_map_move(map, new);
	idm_map_free(new);
	return r;
}

#else

int idm_map_add_subid(struct idm_map *map, const char *owner, struct idm_error *err)
{
	HOLD_CANCEL;
	(void)map;
	idm_fail(err, -EOPNOTSUPP, step_subid, owner, "this build of the library has no libsubid");
	idm_hint(err, "write the map in numbers");
	return -EOPNOTSUPP;
}

#endif
