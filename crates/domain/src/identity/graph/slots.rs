//! A list whose places are numbers that stay, and are given again once what stood there is gone.

use std::ops::{Index, IndexMut};

/// Things by number.
#[derive(Debug)]
pub(super) struct Slots<T> {
    slots: Vec<T>,
    free: Vec<u32>,
}

// Derived `Default` would ask it of `T`.
impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slots<T> {
    /// Puts a thing somewhere. Never at `u32::MAX`.
    pub(super) fn put(&mut self, thing: T) -> u32 {
        if let Some(free) = self.free.pop() {
            self[free] = thing;
            return free;
        }
        let number = match u32::try_from(self.slots.len()) {
            Ok(number) if number != u32::MAX => number,
            _ => unreachable!("four thousand million ids or links fit in no memory"),
        };
        push(&mut self.slots, thing);
        number
    }

    /// Gives the number of a thing to another. The thing itself stays until then.
    pub(super) fn free(&mut self, number: u32) {
        push(&mut self.free, number);
    }

    /// Bytes of memory that it takes, but for what things have elsewhere.
    pub(super) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<T>() + self.free.capacity() * size_of::<u32>()
    }
}

impl<T> Index<u32> for Slots<T> {
    type Output = T;

    fn index(&self, number: u32) -> &T {
        &self.slots[number as usize]
    }
}

impl<T> IndexMut<u32> for Slots<T> {
    fn index_mut(&mut self, number: u32) -> &mut T {
        &mut self.slots[number as usize]
    }
}

/// Adds to a list that may be large: it grows a little at a time instead of by as much again.
fn push<T>(list: &mut Vec<T>, thing: T) {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len() / 8 + 16);
    }
    list.push(thing);
}
