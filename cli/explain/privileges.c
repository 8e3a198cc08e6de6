// SPDX-License-Identifier: MIT
/* What a program gets beyond its user: file capabilities, set-user-ID and set-group-ID bits. */
#include "privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/common/capability-names.h"
#include "draw.h"
#include "layer-mounters.h"
#include "lib/base/macros.h"
#include "lib/base/read-file.h"
#include "lib/sys/procfs.h"
#include "process-file.h"

/* A process can be in 65536 groups. */
#define STATUS_MOST (2UL << 20)

static const char nosuid[] = "the mount has nosuid";

/* ---- what does not count ---- */

/* Reads a number of /proc/PID/status; 0 if it is not there. */
static uint64_t read_status(const struct subject *s, const char *key, int base)
{
	AUTO_CLOSE int fd = open_process_file(s->pid, "status", O_RDONLY);
	AUTO_FREE char *text = NULL;
	size_t n;

	return fd >= 0 && idm_read_file(fd, STATUS_MOST, &text, &n) == 0
		       ? strtoull(idm_procfs_find_line(text, key), NULL, base)
		       : 0;
}

/* Those of the caller are not those of another user's processes. */
static bool has_no_new_privs(const struct subject *s)
{
	return !(s->user && !s->pid) && read_status(s, "\nNoNewPrivs:", 10) == 1;
}

/* A process with the credentials of --user has none. */
static uint64_t inheritable_of(const struct subject *s)
{
	return s->user ? 0 : read_status(s, "\nCapInh:", 16);
}

/* A process that joins a user namespace has all. */
static uint64_t bounding_set_of(const struct verdict *v)
{
	return v->subject->userns_pid ? ~0ULL : v->place->bounding_set;
}

/* mnt_may_suid() */
static const char *find_loss_by_mount(const struct verdict *v)
{
	if (v->facts.attr & IDM_ATTR_NOSUID)
		return nosuid;
	if (!is_in_fs_userns(v->subject, v->place))
		return "the process is not in the user namespace that mounted the filesystem";
	return NULL;
}

static const char *find_loss_of_all(const struct verdict *v)
{
	const char *loss = find_loss_by_mount(v);

	return !loss && has_no_new_privs(v->subject) ? "the process has no_new_privs" : loss;
}

/* bprm_fill_uid() */
static const char *find_loss_of_ids(const struct verdict *v)
{
	const struct idm_map *userns = v->facts.userns_map;
	uint32_t inside;

	if (v->result.uid == IDM_EXPLAIN_NO_ID || v->result.gid == IDM_EXPLAIN_NO_ID)
		return "the mount does not map the owner or group";
	if (userns && (idm_map_to_disk(userns, IDM_UID, v->result.uid, &inside) < 0 ||
		       idm_map_to_disk(userns, IDM_GID, v->result.gid, &inside) < 0))
		return "the user namespace of the process does not have the owner or group";
	return NULL;
}

/* rootid_owns_currentns(): root of the process's user namespace, or of one above. */
static bool is_root_of_process(const struct verdict *v, uint32_t root)
{
	pid_t pid = v->subject->userns_pid ? v->subject->userns_pid : v->subject->pid;
	const struct idm_map *userns = v->facts.userns_map;
	struct mounters roots;
	uint32_t inside;
	bool found;

	/* The kernel reports 0 for root of the caller's namespace, and of each above. */
	found = root == 0 ||
		(userns && idm_map_to_disk(userns, IDM_UID, root, &inside) == 0 && inside == 0);
	if (found || !userns)
		return found;
	find_roots(pid, &roots);
	for (size_t i = 0; i < roots.n; i++)
		found |= roots.list[i].uid == root;
	free_mounters(&roots);
	return found;
}

static void find_losses(const struct verdict *v, struct privileges *p)
{
	p->lost_capabilities = p->lost_ids = find_loss_of_all(v);
	if (p->lost_ids)
		return;
	p->lost_ids = find_loss_of_ids(v);
	if (!is_root_of_process(v, p->root))
		p->lost_capabilities =
			"their root ID is root neither of the process's user namespace nor "
			"of one above";
}

/* bprm_caps_from_vfs_caps(): also with no_new_privs, and for root. */
static uint64_t find_missing(const struct verdict *v, const struct privileges *p)
{
	const struct idm_explain_info *place = v->place;
	uint64_t missing = p->capabilities & ~bounding_set_of(v);

	if (!place->file_capabilities_effective || !missing || find_loss_by_mount(v) ||
	    !is_root_of_process(v, p->root))
		return 0;
	return missing & ~(place->file_capabilities_inheritable & inheritable_of(v->subject));
}

void refuse_program(const struct privileges *p, struct verdict *v)
{
	char names[CAPABILITY_TEXT];

	if (v->facts.access != IDM_ACCESS_EXECUTE || !v->place->is_last || v->result.errnum ||
	    v->is_unknown || !p->missing)
		return;
	write_capability_names(p->missing, names);
	snprintf(v->other_reason, sizeof(v->other_reason),
		 "the file requires %.400s, which the bounding set of the process lacks", names);
	refuse_for_reason(v, EPERM, v->other_reason);
}

void find_privileges(const struct verdict *v, struct privileges *p)
{
	uint32_t mode = v->facts.inode->mode;
	bool is_program = v->place->is_last && S_ISREG(mode);

	*p = (struct privileges){ .capabilities = v->place->file_capabilities,
				  .root = v->place->file_capabilities_root,
				  .sets_user = is_program && mode & S_ISUID,
				  .sets_group = is_program && mode & S_ISGID && mode & S_IXGRP };
	if (!has_privileges(p))
		return;
	find_losses(v, p);
	p->missing = find_missing(v, p);
	if (p->lost_ids != nosuid || !describe_suid_cure(v, p->cure, sizeof(p->cure)))
		*p->cure = '\0';
}

bool has_privileges(const struct privileges *p)
{
	return p->capabilities || p->sets_user || p->sets_group;
}

/* ---- texts ---- */

static void write_name(unsigned int number, char name[32])
{
	const char *known = find_capability_name(number);

	if (known)
		snprintf(name, 32, "CAP_%s", known);
	else
		snprintf(name, 32, "%u", number);
}

void write_capability_names(uint64_t set, char text[CAPABILITY_TEXT])
{
	char name[32];
	size_t n = 0;

	*text = '\0';
	for (unsigned int i = 0; i < 64; i++) {
		if (!(set >> i & 1))
			continue;
		write_name(i, name);
		n += (size_t)snprintf(text + n, CAPABILITY_TEXT - n, "%s%s", n ? ", " : "", name);
	}
}

static void print_capabilities(const struct privileges *p)
{
	char text[CAPABILITY_TEXT];

	write_capability_names(p->capabilities, text);
	print_row(MARK_MORE, "         file capabilities %s, for root ID %u", text, p->root);
}

static void print_loss(const char *what, const char *loss)
{
	print_row(MARK_MORE, "         its %s %s%s", what, loss ? "do nothing: " : "count",
		  loss ? loss : "");
}

static void print_losses(const struct privileges *p)
{
	if (p->lost_capabilities == p->lost_ids) {
		print_loss("capabilities, set-user-ID and set-group-ID bits", p->lost_ids);
		return;
	}
	if (p->capabilities)
		print_loss("capabilities", p->lost_capabilities);
	if (p->sets_user || p->sets_group)
		print_loss("set-user-ID and set-group-ID bits", p->lost_ids);
}

bool print_privileges(const struct privileges *p)
{
	if (!has_privileges(p))
		return false;
	if (p->capabilities)
		print_capabilities(p);
	print_losses(p);
	if (*p->cure)
		print_row(MARK_MORE_COMMAND, "         to let them count: %s", p->cure);
	return *p->cure;
}

void add_capability_names(struct json *json, const char *key, uint64_t set)
{
	char name[32];

	json_open(json, key, '[');
	for (unsigned int i = 0; i < 64; i++) {
		if (!(set >> i & 1))
			continue;
		write_name(i, name);
		json_add_string(json, NULL, name);
	}
	json_close(json);
}

/* Of what the program has. */
static const char *find_any_loss(const struct privileges *p)
{
	if (p->capabilities && p->lost_capabilities)
		return p->lost_capabilities;
	return p->sets_user || p->sets_group ? p->lost_ids : NULL;
}

void add_privileges(struct json *json, const struct privileges *p)
{
	const char *loss = find_any_loss(p);

	if (!has_privileges(p)) {
		json_add_string(json, "privileges", NULL);
		return;
	}
	json_open(json, "privileges", '{');
	add_capability_names(json, "capabilities", p->capabilities);
	json_add_number(json, "rootId", p->root);
	json_add_bool(json, "setUserId", p->sets_user);
	json_add_bool(json, "setGroupId", p->sets_group);
	json_add_bool(json, "count", !loss);
	json_add_string(json, "reason", loss);
	json_add_name(json, "cure", *p->cure ? p->cure : NULL);
	json_close(json);
}
