// Ownership of OpenSSL's certificate objects and the certificates of Secure Boot keys, for the sources of
// this folder only.
#pragma once

#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <string_view>

#include "core/clock.hpp"
#include "core/handle.hpp"
#include "signing/primitives/openssl.hpp"

namespace imgforge::signing {

using X509Handle = core::Handle<&X509_free>;
using ExtensionHandle = core::Handle<&X509_EXTENSION_free>;
using Pkcs7Handle = core::Handle<&PKCS7_free>;
using Asn1StringHandle = core::Handle<&ASN1_STRING_free>;
using Asn1TypeHandle = core::Handle<&ASN1_TYPE_free>;

/// A certificate for `key`, signed by `key`, with a random serial number.
X509Handle self_signed_certificate(EVP_PKEY* key, std::string_view common_name, core::UnixTime made);

}  // namespace imgforge::signing
