// SPDX-License-Identifier: MIT
#include "copy-struct.h"

#include <errno.h>
#include <string.h>

#include "error.h"

static int copy_known_bytes(void *to, size_t size, const void *from, size_t given)
{
	const unsigned char *bytes = from;

	for (size_t i = size; i < given; i++)
		if (bytes[i])
			return -E2BIG;
	memcpy(to, from, given < size ? given : size);
	return 0;
}

static int copy_sized_struct(void *to, size_t size, const void *from)
{
	size_t given;

	memcpy(&given, from, sizeof(given));
	return given < sizeof(given) ? -EINVAL : copy_known_bytes(to, size, from, given);
}

int idm_copy_struct(void *to, size_t size, const void *from, enum idm_error_step step,
		    struct idm_error *err)
{
	int r = from ? copy_sized_struct(to, size, from) : 0;

	if (r == -E2BIG)
		return idm_fail(err, r, step, NULL, "these options require a newer library");
	return r < 0 ? idm_fail(err, r, step, NULL, "the options' size is not set") : 0;
}

int idm_copy_element(void *to, size_t size, const void *array, size_t i, size_t element_size)
{
	return copy_known_bytes(to, size, (const char *)array + i * element_size, element_size);
}

int idm_check_flags(unsigned int flags, unsigned int known, enum idm_error_step step,
		    const char *subject, struct idm_error *err)
{
	unsigned int unknown = flags & ~known;

	return unknown ? idm_fail(err, -EINVAL, step, subject, "unknown flags 0x%x", unknown) : 0;
}
