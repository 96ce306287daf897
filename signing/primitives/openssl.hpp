// Ownership of OpenSSL objects and the end of its error queue, for the sources of this folder only.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <string>

#include "core/error.hpp"
#include "core/handle.hpp"

namespace imgforge::signing {

using PkeyHandle = core::Handle<&EVP_PKEY_free>;
using PkeyContextHandle = core::Handle<&EVP_PKEY_CTX_free>;
using MdContextHandle = core::Handle<&EVP_MD_CTX_free>;
using BioHandle = core::Handle<&BIO_free_all>;

/// Empties OpenSSL's error queue when a function ends, so that one failed check cannot colour the next.
struct ErrorQueueGuard {
  ErrorQueueGuard() = default;
  ~ErrorQueueGuard() { ERR_clear_error(); }
  ErrorQueueGuard(const ErrorQueueGuard&) = delete;
  ErrorQueueGuard& operator=(const ErrorQueueGuard&) = delete;
};

/// An OpenSSL call failed that only fails for want of memory or by a broken installation.
[[noreturn]] inline void throw_openssl_failure(const char* action) {
  throw core::Error(core::Kind::kInternal, std::string("OpenSSL failed: ") + action);
}

}  // namespace imgforge::signing
