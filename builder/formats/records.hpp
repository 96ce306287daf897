// The record of each format; defined in the file of its name.
#pragma once

#include "builder/formats/format.hpp"

namespace imgforge::formats {

extern const Format kQcow2;
extern const Format kRaw;
extern const Format kVmdk;
extern const Format kVhdx;
extern const Format kVdi;
extern const Format kVm;
extern const Format kIso;
extern const Format kUsb;
extern const Format kNetboot;
extern const Format kRootfs;
extern const Format kOci;

}  // namespace imgforge::formats
