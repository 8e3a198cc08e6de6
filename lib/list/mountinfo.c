// SPDX-License-Identifier: MIT
/*
 * /proc/PID/mountinfo: the mounts of one namespace as lines of text. It is all there is before
 * Linux 6.8, and until 6.12 the only place that tells a mount's source and subtype. It names mounts by
 * the short id, which the kernel assigns to another mount as soon as it is free.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/base/unescape.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/procfs.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_read = IDM_STEP_READ_MOUNTINFO;

struct place {
	uint32_t id;
	size_t at; /* where the line begins in the text */
};

struct idm_mountinfo {
	int fd;
	bool read; /* the text has been read, and was the newest then */
	bool once; /* that text counts, whatever changes since */
	char *text;
	size_t length, capacity;
	struct place *places; /* of all lines, by id */
	size_t n, places_capacity;
	char *line; /* the one that was found, cut into strings */
	size_t line_capacity;
};

/* ---- opening ---- */

struct opening {
	int procfs, file;
};

static void open_mountinfo_file(void *data)
{
	struct opening *o = data;

	o->file = idm_procfs_openat(o->procfs, "thread-self/mountinfo", O_RDONLY);
}

/*
 * From another namespace the file is opened by a thread that joins it. The file of a process that is in
 * there would be cut to what is below that process's root, and there need not be one.
 */
static int open_mountinfo_of(int fd, struct idm_error *err)
{
	AUTO_CLOSE int procfs = idm_procfs_root(err);
	struct opening o = { procfs, -1 };
	int r = procfs < 0 ? procfs : 0;

	if (r == 0 && fd >= 0)
		r = idm_mount_ns_join(fd, open_mountinfo_file, &o, err);
	else if (r == 0)
		open_mountinfo_file(&o);
	if (r < 0)
		return r;
	return o.file < 0 ? idm_fail_errno(err, o.file, step_read, NULL) : o.file;
}

int idm_mountinfo_open(int fd, struct idm_mountinfo **info, struct idm_error *err)
{
	AUTO_CLOSE int file = open_mountinfo_of(fd, err);

	if (file < 0)
		return file;
	*info = calloc(1, sizeof(**info));
	if (!*info)
		return idm_fail_errno(err, -ENOMEM, step_read, NULL);
	(*info)->fd = idm_steal_fd(&file);
	return 0;
}

static void free_texts(struct idm_mountinfo *info)
{
	free(info->text);
	free(info->places);
	free(info->line);
}

void idm_mountinfo_close(struct idm_mountinfo *info)
{
	if (!info)
		return;
	idm_close_fd(&info->fd);
	free_texts(info);
	free(info);
}

/* ---- reading ---- */

/*
 * Returns the buffer with space for `size` bytes, or NULL without memory; then it stays as it was. The
 * space doubles, so that growing costs no more than reading.
 */
static void *grow_text(void *buf, size_t *capacity, size_t size)
{
	size_t more = *capacity ? *capacity : 16384;
	void *p;

	if (size <= *capacity)
		return buf;
	while (more < size)
		more *= 2;
	p = realloc(buf, more);
	if (p)
		*capacity = more;
	return p;
}

static int read_mountinfo_text(struct idm_mountinfo *info)
{
	ssize_t n = idm_sys_rewind(info->fd);
	char *text;

	info->length = 0;
	if (n < 0)
		return (int)n;
	do {
		text = grow_text(info->text, &info->capacity, info->length + 4096);
		if (!text)
			return -ENOMEM;
		info->text = text;
		n = idm_sys_read(info->fd, info->text + info->length, info->capacity - info->length - 1);
		if (n < 0)
			return (int)n;
		info->length += (size_t)n;
	} while (n > 0);
	info->text[info->length] = '\0';
	return 0;
}

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

/* There is no array where there is no line: a namespace whose root the caller cannot see has none. */
static void sort_places(struct idm_mountinfo *info)
{
	if (info->n)
		qsort(info->places, info->n, sizeof(*info->places), compare_places);
}

static int find_lines(struct idm_mountinfo *info)
{
	const char *p = info->text;

	for (info->n = 0; *p; info->n++) {
		const char *end = strchr(p, '\n');
		struct place *places = grow_text(info->places, &info->places_capacity,
						 (info->n + 1) * sizeof(*places));

		if (!places)
			return -ENOMEM;
		info->places = places;
		places[info->n] = (struct place){ (uint32_t)strtoul(p, NULL, 10),
						  (size_t)(p - info->text) };
		p = end ? end + 1 : p + strlen(p);
	}
	return 0;
}

/* The kernel raises an exceptional condition on this file when mounts come or go. */
static bool is_newest(const struct idm_mountinfo *info)
{
	int events;

	if (info->read && info->once)
		return true;
	events = info->read ? idm_sys_poll(info->fd, POLLPRI) : -1;
	return events >= 0 && !(events & (POLLPRI | POLLERR));
}

/* Makes sure that the text tells what is mounted now. */
static int refresh(struct idm_mountinfo *info, struct idm_error *err)
{
	int r;

	if (is_newest(info))
		return 0;
	r = read_mountinfo_text(info);
	if (r == 0)
		r = find_lines(info);
	info->read = r == 0;
	if (r < 0)
		return idm_fail_errno(err, r, step_read, NULL);
	sort_places(info);
	return 0;
}

/* ---- one line ---- */

/*
 * Cuts off the next field. An empty source leaves an empty field, so one blank ends it, not many. At the
 * end of the line all that is left are empty fields; they can be written to as any other.
 */
static char *next_field(char **rest)
{
	char *p = *rest, *blank = strchrnul(p, ' ');

	*rest = *blank ? blank + 1 : blank;
	*blank = '\0';
	return p;
}

static uint32_t find_attribute(const char *word)
{
	static const struct {
		const char *word;
		uint32_t attr;
	} table[] = {
		{ "ro", IDM_ATTR_RDONLY },	 { "nosuid", IDM_ATTR_NOSUID },
		{ "nodev", IDM_ATTR_NODEV },	 { "noexec", IDM_ATTR_NOEXEC },
		{ "noatime", IDM_ATTR_NOATIME }, { "nodiratime", IDM_ATTR_NODIRATIME },
		{ "idmapped", IDM_ATTR_IDMAP },	 { "nosymfollow", IDM_ATTR_NOSYMFOLLOW },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (strcmp(word, table[i].word) == 0)
			return table[i].attr;
	return 0;
}

/* "rw,nosuid,relatime". Where no word tells the access times, they are strict. */
static uint32_t parse_attributes(char *words)
{
	uint32_t attr = 0;
	bool relatime = false;
	char *word;

	while ((word = strsep(&words, ","))) {
		attr |= find_attribute(word);
		relatime = relatime || strcmp(word, "relatime") == 0;
	}
	return attr | (relatime || attr & IDM_ATTR_NOATIME ? 0 : IDM_ATTR_STRICTATIME);
}

/* "shared:1 master:2 -": the optional fields up to the lone "-". Shared wins: it is what passes on. */
static void parse_propagation(char **rest, struct idm_mountinfo_mount *m)
{
	bool unbindable = false;
	const char *word;

	while (**rest && strcmp(word = next_field(rest), "-") != 0) {
		if (strncmp(word, "shared:", 7) == 0)
			m->peers = strtoul(word + 7, NULL, 10);
		else if (strncmp(word, "master:", 7) == 0)
			m->master = strtoul(word + 7, NULL, 10);
		unbindable |= strcmp(word, "unbindable") == 0;
	}
	m->mount.propagation = m->peers	    ? IDM_PROPAGATION_SHARED
			       : unbindable ? IDM_PROPAGATION_UNBINDABLE
			       : m->master  ? IDM_PROPAGATION_SLAVE
					    : IDM_PROPAGATION_PRIVATE;
}

/* "MAJOR:MINOR" */
static void parse_device(const char *text, struct idm_mount_info *mount)
{
	const char *colon = strchr(text, ':');

	mount->dev_major = (uint32_t)strtoul(text, NULL, 10);
	mount->dev_minor = colon ? (uint32_t)strtoul(colon + 1, NULL, 10) : 0;
}

/* ID PARENT MAJOR:MINOR ROOT TARGET ATTRIBUTES [OPTIONAL...] - FSTYPE SOURCE OPTIONS */
static void parse_line(char *line, struct idm_mountinfo_mount *m)
{
	struct idm_mount_info *mount = &m->mount;
	char *rest = line, *root, *target, *fstype, *source;

	*m = (struct idm_mountinfo_mount){ .mount.size = sizeof(*mount) };
	mount->id = strtoul(next_field(&rest), NULL, 10);
	mount->parent_id = strtoul(next_field(&rest), NULL, 10);
	parse_device(next_field(&rest), mount);
	mount->root = root = next_field(&rest);
	mount->target = target = next_field(&rest);
	mount->attr = parse_attributes(next_field(&rest));
	parse_propagation(&rest, m);
	mount->fstype = fstype = next_field(&rest);
	mount->source = source = next_field(&rest);
	mount->map_state = mount->attr & IDM_ATTR_IDMAP ? IDM_MAP_UNREADABLE : IDM_MAP_NONE;
	idm_unescape(root);
	idm_unescape(target);
	idm_unescape(fstype);
	idm_unescape(source);
}

int idm_mountinfo_find(struct idm_mountinfo *info, uint32_t id, struct idm_mountinfo_mount *mount,
		       struct idm_error *err)
{
	const struct place key = { .id = id }, *place;
	char *start, *line;
	size_t length;
	int r = refresh(info, err);

	if (r < 0)
		return r;
	place = info->n ? bsearch(&key, info->places, info->n, sizeof(key), compare_places) : NULL;
	if (!place)
		return 0;
	start = info->text + place->at;
	length = strcspn(start, "\n");
	line = grow_text(info->line, &info->line_capacity, length + 1);
	if (!line)
		return idm_fail_errno(err, -ENOMEM, step_read, NULL);
	info->line = line;
	memcpy(line, start, length);
	line[length] = '\0';
	parse_line(line, mount);
	return 1;
}

/* ---- listing ---- */

static int report_line(const struct idm_lister *l, const struct idm_mount_ns *ns,
		       struct idm_mountinfo *info, uint32_t id, bool any)
{
	struct idm_mountinfo_mount line;
	int r = idm_mountinfo_find(info, id, &line, l->err);

	if (r <= 0) /* it has vanished */
		return r;
	if (!any && !(line.mount.attr & IDM_ATTR_IDMAP))
		return 0;
	line.mount.namespace_id = ns->id;
	line.mount.namespace_inode = ns->inode;
	return l->each(&line.mount, l->data);
}

/* The IDs in the order of the text, which is that of mounting. The text is not kept: it ages. */
static int all_ids(struct idm_mountinfo *info, uint32_t **ids, size_t *n, struct idm_error *err)
{
	int r = read_mountinfo_text(info);

	if (r == 0)
		r = find_lines(info);
	if (r < 0)
		return idm_fail_errno(err, r, step_read, NULL);
	*n = info->n;
	*ids = calloc(info->n + 1, sizeof(**ids));
	if (!*ids)
		return idm_fail_errno(err, -ENOMEM, step_read, NULL);
	for (size_t i = 0; i < info->n; i++)
		(*ids)[i] = info->places[i].id;
	sort_places(info);
	info->read = true;
	return 0;
}

static int list_text(const struct idm_lister *lister, const struct idm_mount_ns *ns,
		     struct idm_mountinfo *info)
{
	AUTO_FREE uint32_t *ids = NULL;
	size_t n = 0;
	int r = all_ids(info, &ids, &n, lister->err);

	for (size_t i = 0; i < n && r == 0; i++)
		r = report_line(lister, ns, info, ids[i], lister->flags & IDM_LIST_UNMAPPED);
	free_texts(info);
	return r;
}

int idm_mountinfo_list_file(const struct idm_lister *lister, const struct idm_mount_ns *ns, int file)
{
	return list_text(lister, ns, &(struct idm_mountinfo){ .fd = file, .once = true });
}

int idm_mountinfo_list(const struct idm_lister *lister, const struct idm_mount_ns *ns, int fd)
{
	AUTO_CLOSE int file = open_mountinfo_of(fd, lister->err);

	return file < 0 ? file : list_text(lister, ns, &(struct idm_mountinfo){ .fd = file });
}

int idm_mountinfo_one(const struct idm_lister *lister, const struct idm_mount_ns *ns, uint32_t id)
{
	struct idm_mountinfo *info;
	int r = idm_mountinfo_open(-1, &info, lister->err);

	if (r < 0)
		return r;
	r = report_line(lister, ns, info, id, true);
	idm_mountinfo_close(info);
	return r;
}
