/* SPDX-License-Identifier: MIT */
/*
 * The files that crun opens for the output of hooks. Annotations name them, crun opens them as root, and
 * podman before 4.5 reads annotations from images. So a hook must not write words of that author there.
 */
#ifndef IDM_OCI_HOOK_OUTPUT_H
#define IDM_OCI_HOOK_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#define OCI_HOOK_STDOUT "run.oci.hooks.stdout"
#define OCI_HOOK_STDERR "run.oci.hooks.stderr"

/* Returns whether no other file than one of the runtime's own gets the output. */
bool is_output_of_runtime(const char *file);

/*
 * Returns whether annotation `key` of a configuration or a state names another file. A text that cannot
 * be parsed counts as one that does, if it could have such an annotation.
 */
bool is_output_redirected(const char *text, size_t length, const char *key);

#endif
