/* The fingerprint as a form of file. */
#ifndef COGNATE_FINGERPRINT_FORM_H
#define COGNATE_FINGERPRINT_FORM_H

#include "cognate/fingerprint.h"
#include "result/form.h"

extern const struct cg_form cg_fingerprint_form;

#endif
