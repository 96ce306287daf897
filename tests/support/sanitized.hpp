// Whether the test is built with AddressSanitizer, whose runtime turns mlock into a no-op and keeps what was
// freed.
#pragma once

namespace imgforge::testing {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
inline constexpr bool kSanitized = __has_feature(address_sanitizer);
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace imgforge::testing
