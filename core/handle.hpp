// Objects of C libraries, owned once: a unique_ptr that is as large as the pointer and knows by its type how
// to give the object back. For streams of zlib and liblzma, which lie on the stack, it is the guard that ends
// them. Where ending can fail and that matters, the owner takes the object out (`release`), ends it by name
// and looks at the answer; a handle only abandons.
#pragma once

#include <memory>

namespace imgforge::core {

/// The deleter: calls `Free` and drops what it answers.
template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* object) const noexcept {
    static_cast<void>(Free(object));
  }
};

namespace detail {
template <class T>
struct Pointee {
  using type = T;
};
template <class Result, class T>
Pointee<T> pointee(Result (*free)(T*));
}  // namespace detail

/// `Handle<&EVP_PKEY_free>` owns an EVP_PKEY. `T` is given where the function takes any pointer:
/// `Handle<&::free, char>`.
template <auto Free, class T = typename decltype(detail::pointee(Free))::type>
using Handle = std::unique_ptr<T, Freed<Free>>;

}  // namespace imgforge::core
