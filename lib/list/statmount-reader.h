/* SPDX-License-Identifier: MIT */
/* Reads mounts with statmount(2), one after the other. */
#ifndef IDM_LIST_STATMOUNT_READER_H
#define IDM_LIST_STATMOUNT_READER_H

#include "internal.h"
#include "lib/sys/syscall.h"

/* How a question ended, apart from errors. IDM_VANISHED: the mount is gone. */
enum { IDM_VANISHED = 0, IDM_ANSWERED = 1 };

struct idm_statmount_reader {
	const struct idm_lister *l;
	const struct idm_mount_ns *ns;
	int fd; /* on the mount, instead of its ID; or -1 */
	struct idm_statmount *buf;
	size_t capacity;
	struct idm_map *map;	    /* of the mount at hand */
	unsigned int told;	    /* the sides of it that the kernel knows of */
	unsigned int no_gaps;	    /* the sides on which the caller sees every possible ID ... */
	bool no_gaps_known;	    /* ... once that has been looked up */
	char *fstype;		    /* with the subtype, if it has one */
	struct idm_mountinfo *info; /* opened when the kernel does not tell sources */
};

int idm_statmount_reader_open(struct idm_statmount_reader *r, const struct idm_lister *lister,
			      const struct idm_mount_ns *ns);
void idm_statmount_reader_close(struct idm_statmount_reader *r);

/* What asks for this mount of the reader's namespace. */
struct idm_mnt_id_req idm_statmount_request(const struct idm_statmount_reader *r, uint64_t id,
					    uint64_t param);

/*
 * Asks for `what` (IDM_STATMOUNT_*). The answer is in r->buf, and all its offsets are within it. Both
 * return IDM_ANSWERED, IDM_VANISHED or -errno, and fill in no error. The first returns -EOVERFLOW if the
 * answer is larger than `capacity`. The second enlarges the buffer.
 */
int idm_statmount_query(struct idm_statmount_reader *r, uint64_t id, uint64_t what, size_t capacity);
int idm_statmount_query_growing(struct idm_statmount_reader *r, uint64_t id, uint64_t what);

/* Calls the lister's function for one mount. Returns its result, or 0 if the mount is gone, or -errno.
 */
int idm_statmount_report(struct idm_statmount_reader *r, uint64_t id);

/* Reads the propagation of an answer. */
enum idm_propagation idm_statmount_propagation(uint64_t flags);

/* Fill in the error of the whole list, or of one mount. Both return `code`. */
int idm_statmount_fail(const struct idm_statmount_reader *r, int code);
int idm_statmount_fail_id(const struct idm_statmount_reader *r, uint64_t id, int code);

#endif
